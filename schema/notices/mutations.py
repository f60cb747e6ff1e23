"""What can be done with notices."""

import strawberry

from resolvers.notices import publishing, receipts
from schema.fields import Info
from schema.mutations import mutation
from schema.node import key_of
from schema.notices.publishing import (
    CancelNoticeInput,
    CancelNoticePayload,
    PublishNoticeInput,
    PublishNoticePayload,
    UpdateNoticeInput,
    UpdateNoticePayload,
    wanted_audience,
)
from schema.notices.receipts import (
    AcknowledgeNoticeInput,
    AcknowledgeNoticePayload,
    MarkNoticeSeenInput,
    MarkNoticeSeenPayload,
    RecordVisitInput,
    RecordVisitPayload,
)
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound


@strawberry.type
class NoticesMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def publish_notice(self, info: Info, input: PublishNoticeInput) -> PublishNoticePayload:
        """Send official word to everyone in an audience."""
        notice = await publishing.publish(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            draft=publishing.NoticeDraft(
                category=input.category,
                severity=input.severity,
                title=input.title,
                body=input.body,
                starts_at=input.starts_at,
                ends_at=input.ends_at,
            ),
            audience=[wanted_audience(given) for given in input.audience],
            key=input.idempotency_key,
        )
        return PublishNoticePayload(notice=notice)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def update_notice(self, info: Info, input: UpdateNoticeInput) -> UpdateNoticePayload:
        """Supersede a notice: everyone who was sent the one is sent the other."""
        notice = await publishing.update(
            info.context,
            notice_id=key_of("noticeId", input.notice_id, "Notice"),
            version=input.version,
            change=publishing.NoticeChange(
                category=input.category,
                severity=input.severity,
                title=input.title,
                body=input.body,
                starts_at=input.starts_at,
                ends_at=input.ends_at,
                open_ended=input.open_ended,
            ),
            key=input.idempotency_key,
        )
        return UpdateNoticePayload(notice=notice)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def cancel_notice(self, info: Info, input: CancelNoticeInput) -> CancelNoticePayload:
        """Take a notice back."""
        notice = await publishing.cancel(
            info.context,
            notice_id=key_of("noticeId", input.notice_id, "Notice"),
            version=input.version,
            reason=input.reason,
        )
        return CancelNoticePayload(notice=notice)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def mark_notice_seen(self, info: Info, input: MarkNoticeSeenInput) -> MarkNoticeSeenPayload:
        """Say that a notice was on the screen. Repeating it changes nothing."""
        notice_id = key_of("noticeId", input.notice_id, "Notice")
        notice = await receipts.mark_seen(info.context, notice_id=notice_id)
        return MarkNoticeSeenPayload(notice=notice)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def acknowledge_notice(self, info: Info, input: AcknowledgeNoticeInput) -> AcknowledgeNoticePayload:
        """Take note of a notice for all of the viewer's homes. Repeating it changes nothing."""
        notice_id = key_of("noticeId", input.notice_id, "Notice")
        notice = await receipts.acknowledge(info.context, notice_id=notice_id)
        return AcknowledgeNoticePayload(notice=notice)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def record_visit(self, info: Info, input: RecordVisitInput) -> RecordVisitPayload:
        """Record that a household was told in person. The first record stands; another changes nothing."""
        receipt = await receipts.record_visit(
            info.context,
            notice_id=key_of("noticeId", input.notice_id, "Notice"),
            home_id=key_of("homeId", input.home_id, "Home"),
            how=input.how,
            note=input.note,
        )
        return RecordVisitPayload(receipt=receipt)
