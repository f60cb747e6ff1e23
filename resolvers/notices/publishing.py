"""Sending official word, and taking it back.

As in the Common Alerting Protocol 1.2 (OASIS, 1 July 2010, section 3.2.1, ``msgType`` and
``references``), what was sent is never changed: an Update is a new notice that supersedes the one
it refers to, and a Cancel ends one. Both go to everyone whom the first one went to, since whoever
heard the one must hear the other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from models.base import new_id, now
from models.messages import Message
from models.notices import (
    AudienceKind,
    AudienceRow,
    BuildingReachRow,
    NoticeCategory,
    NoticeRow,
    NoticeStatus,
    ReceiptRow,
    Severity,
    may_publish,
)
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.search import SearchKind
from models.storage.rows import execute, select, select_ids
from models.storage.tables import insert, insert_all
from resolvers import audit, notifications, search
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput
from resolvers.existing import only
from resolvers.identity import organisations_by_id
from resolvers.notices import audiences, reading
from resolvers.notices.audiences import Target, Wanted
from resolvers.notices.words import CATEGORIES, SEVERITIES
from resolvers.organisations import visible_organisations_by_id
from resolvers.retries import earlier_result
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDraft:
    """What a notice shall say. Without `starts_at` it holds from now, without `ends_at` until cancelled."""

    category: NoticeCategory
    severity: Severity
    title: str
    body: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeChange:
    """What an update says anew; None leaves it as it was."""

    category: NoticeCategory | None = None
    severity: Severity | None = None
    title: str | None = None
    body: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    # Holds until cancelled, whatever the end was.
    open_ended: bool = False

    def applied_to(self, notice: NoticeRow) -> NoticeDraft:
        return NoticeDraft(
            category=self.category or notice.category,
            severity=self.severity or notice.severity,
            title=notice.title if self.title is None else self.title,
            body=notice.body if self.body is None else self.body,
            starts_at=self.starts_at or notice.starts_at,
            ends_at=None if self.open_ended else self.ends_at or notice.ends_at,
        )


def check_draft(draft: NoticeDraft) -> NoticeDraft:
    """The draft as it will be kept. Raises InvalidInput naming what is wrong."""
    starts_at = check_moment("startsAt", draft.starts_at)
    ends_at = check_moment("endsAt", draft.ends_at)
    if ends_at and ends_at <= max(now(), starts_at or ends_at.min.replace(tzinfo=UTC)):
        raise InvalidInput(endsAt=Message("Must be later than the start, and in the future"))
    return replace(
        draft,
        title=check_text("title", draft.title, 80),
        body=check_text("body", draft.body, 5000),
        starts_at=starts_at,
        ends_at=ends_at,
    )


def check_moment(field: str, moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidInput(**{field: Message("Needs a time zone")})
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(**{field: Message("Is out of range")}) from error


async def publish(
    ctx: Context, *, organisation_id: UUID, draft: NoticeDraft, audience: Sequence[Wanted], key: str
) -> NoticeRow:
    """Send a notice to everyone in `audience`; the homes that count are fixed from here on.

    Raises InvalidInput, NotFound, NotAllowed, Conflict.
    """
    _ = ctx.account_id
    draft = check_draft(draft)
    organisation = only(await visible_organisations_by_id(ctx, [organisation_id]))
    if not may_publish(ctx.viewer, organisation.id, draft.category, draft.severity):
        raise await audit.refuse(
            ctx,
            "publishNotice",
            Message(
                "You may not publish {severity} {category} notices for this organisation",
                severity=SEVERITIES[draft.severity],
                category=CATEGORIES[draft.category],
            ),
            organisation,
        )
    notice_id = new_id()
    scopes = await audiences.check_audience(organisation, audience, notice_id)
    async with ctx.unit_of_work() as work:
        body = [organisation_id, draft, *sorted(map(str, audience))]
        earlier = await earlier_result(ctx, key, "publishNotice", body, notice_id)
        if earlier is None:
            homes = await audiences.targets(organisation.community_id, scopes)
            if not homes and not any(scope.kind is AudienceKind.ROLE for scope in scopes):
                raise InvalidInput(audience=Message("Nobody lives there"))
            await send(
                work,
                ctx,
                notice_id,
                organisation,
                draft,
                scopes,
                homes,
                Kind.NOTICE_PUBLISHED,
                draft.severity,
            )
            await audit.record(
                ctx,
                "publishNotice",
                organisation,
                subject_id=notice_id,
                detail=Message(
                    "{severity} {category}, to {homes} homes",
                    severity=SEVERITIES[draft.severity],
                    category=CATEGORIES[draft.category],
                    homes=len(homes),
                ),
            )
    return await reading.notice(earlier or notice_id)


async def update(ctx: Context, *, notice_id: UUID, version: int, change: NoticeChange, key: str) -> NoticeRow:
    """Supersede a notice by a new one to the same homes, which continues its thread of comments.

    Raises InvalidInput, NotFound, NotAllowed, and Conflict with the current notice if it was superseded or
    cancelled meanwhile.
    """
    _ = ctx.account_id
    old = await reading.visible(ctx, notice_id)
    draft = check_draft(change.applied_to(old))
    if not all(may_publish(ctx.viewer, old.organisation_id, it.category, it.severity) for it in (old, draft)):
        raise await refusal(ctx, "updateNotice", old)
    new = new_id()
    async with ctx.unit_of_work() as work:
        body = [notice_id, version, draft]
        earlier = await earlier_result(ctx, key, "updateNotice", body, new)
        if earlier is None:
            await close_version(old, version, NoticeStatus.SUPERSEDED)
            organisation = await organisation_of(ctx, old)
            scopes = [
                replace(scope, id=new_id(), notice_id=new) for scope in await audiences.audience_of(old.id)
            ]
            homes = await select(
                Target,
                "SELECT t.home_id, t.building_id FROM receipt t WHERE t.notice_id = ? ORDER BY t.id",
                old.id,
            )
            # Who follows only severe notices must hear that one is no longer so severe.
            severity = max(old.severity, draft.severity, key=lambda it: it.rank)
            await send(work, ctx, new, organisation, draft, scopes, homes, Kind.NOTICE_UPDATED, severity, old)
            await audit.record(
                ctx, "updateNotice", old, subject_id=new, detail=Message("replaces {notice}", notice=old.id)
            )
    return await reading.notice(earlier or new)


async def cancel(ctx: Context, *, notice_id: UUID, version: int, reason: str) -> NoticeRow:
    """End a notice before its time.

    Raises InvalidInput, NotFound, NotAllowed, and Conflict with the current notice if it was superseded or
    cancelled meanwhile.
    """
    _ = ctx.account_id
    reason = check_text("reason", reason, 500)
    old = await reading.visible(ctx, notice_id)
    if not may_publish(ctx.viewer, old.organisation_id, old.category, old.severity):
        raise await refusal(ctx, "cancelNotice", old)
    async with ctx.unit_of_work() as work:
        await close_version(old, version, NoticeStatus.CANCELLED, reason)
        scopes = audiences.scopes(await audiences.audience_of(old.id))
        work.record(event(Kind.NOTICE_CANCELLED, old, scopes, old.category, old.severity))
        await audit.record(ctx, "cancelNotice", old, detail=reason)
    return await reading.notice(old.id)


async def refusal(ctx: Context, action: str, notice: NoticeRow) -> Exception:
    return await audit.refuse(
        ctx,
        action,
        Message("You may not do this in the name of the organisation that published the notice"),
        notice,
    )


async def organisation_of(ctx: Context, notice: NoticeRow) -> OrganisationRow:
    return only(await organisations_by_id(ctx, [notice.organisation_id]))


async def close_version(notice: NoticeRow, version: int, status: NoticeStatus, reason: str = "") -> None:
    """Take an active notice out of force; only one of two concurrent calls succeeds."""
    ended = await execute(
        "UPDATE notice SET status = ?, cancelled_at = ?, cancel_reason = ?, version = version + 1"
        " WHERE id = ? AND version = ? AND status = ? RETURNING id",
        status,
        now() if status is NoticeStatus.CANCELLED else None,
        reason,
        notice.id,
        version,
        NoticeStatus.ACTIVE,
    )
    if not ended:
        raise Conflict(Message("It was updated or cancelled meanwhile"), await reading.current_of(notice))


async def send(
    work: Work,
    ctx: Context,
    notice_id: UUID,
    organisation: OrganisationRow,
    draft: NoticeDraft,
    scopes: Sequence[AudienceRow],
    homes: Sequence[Target],
    kind: Kind,
    told_as: Severity,
    supersedes: NoticeRow | None = None,
) -> None:
    """Write a notice with its audience, receipts and inbox entries, and record that it happened."""
    await insert(
        NoticeRow(
            id=notice_id,
            community_id=organisation.community_id,
            organisation_id=organisation.id,
            author_id=ctx.account_id,
            root_id=supersedes.root_id if supersedes else notice_id,
            supersedes_id=supersedes.id if supersedes else None,
            category=draft.category,
            severity=draft.severity,
            title=draft.title,
            body=draft.body,
            starts_at=draft.starts_at or now(),
            ends_at=draft.ends_at,
        )
    )
    await insert_all(scopes)
    await write_receipts(organisation.community_id, notice_id, homes)
    await notifications.put_new(
        await recipients(notice_id, organisation.community_id),
        community_id=organisation.community_id,
        kind=NotificationKind.NOTICE,
        subject_id=notice_id,
        actor_id=ctx.account_id,
    )
    if supersedes:
        await search.forget(supersedes.id)
    await search.index(
        SearchKind.NOTICE,
        notice_id,
        draft.title,
        draft.body,
        community_id=organisation.community_id,
        audience=audiences.scopes(scopes),
    )
    notice = await reading.notice(notice_id)
    work.record(
        event(kind, notice, audiences.scopes(scopes), draft.category, told_as),
        # One for all, by scopes: thousands of accounts are no audience to write down.
        event_about(
            Kind.NOTIFICATION_ADDED,
            organisation,
            audiences.addressees(scopes),
            subject=notice_id,
            facts={"kind": NotificationKind.NOTICE.value},
        ),
    )


def event(
    kind: Kind, notice: NoticeRow, scopes: frozenset[UUID], category: NoticeCategory, severity: Severity
) -> Event:
    return event_about(
        kind,
        notice,
        scopes,
        thread=notice.root_id,
        facts={"severity": severity.value, "category": category.value},
    )


async def write_receipts(community_id: UUID, notice_id: UUID, homes: Sequence[Target]) -> None:
    """A receipt for each home, in the order of `homes`, and the counters of each building."""
    at = now()
    await insert_all(
        [
            ReceiptRow(
                created_at=at,
                community_id=community_id,
                notice_id=notice_id,
                home_id=home.home_id,
                building_id=home.building_id,
            )
            for home in homes
        ]
    )
    await insert_all(
        [
            BuildingReachRow(created_at=at, notice_id=notice_id, building_id=building_id, targeted=targeted)
            for building_id, targeted in Counter(home.building_id for home in homes).items()
        ]
    )


async def recipients(notice_id: UUID, community_id: UUID) -> list[UUID]:
    """The accounts that live in a home with a receipt, and those with a role the notice is for."""
    return await select_ids(
        "SELECT r.account_id FROM receipt t JOIN residency r ON r.home_id = t.home_id"
        " WHERE t.notice_id = ? AND r.until IS NULL"
        " UNION SELECT a.account_id FROM notice_audience t"
        " JOIN organisation o ON o.kind = t.organisation_kind AND o.community_id = ?"
        " JOIN appointment a ON a.organisation_id = o.id AND a.role = t.role"
        " WHERE t.notice_id = ? AND a.revoked_at IS NULL",
        notice_id,
        community_id,
        notice_id,
    )
