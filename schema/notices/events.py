"""What happens to notices and to their reach, live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers.notices import reach as reaches
from resolvers.notices import reading
from schema.fields import Info, loaded
from schema.node import key_of
from schema.notices.lists import CommunityArg, MinSeverityArg
from schema.notices.notices import Notice
from schema.notices.reach import Reach
from schema.notices.terms import Severity
from schema.streams import AFTER, Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, community_topic, reach_topic
from subscriptions.streams import Stream

AfterEvent = Annotated[str | None, strawberry.argument(description=AFTER)]


@strawberry.type(description="A notice was sent.")
class NoticePublished:
    is_type_of = of_kind(Kind.NOTICE_PUBLISHED)
    notice: Notice = loaded(reading.subjects_of, description="The notice.")


@strawberry.type(description="An update was sent, which supersedes another notice.")
class NoticeUpdated:
    is_type_of = of_kind(Kind.NOTICE_UPDATED)
    notice: Notice = loaded(reading.subjects_of, description="The new notice.")


@strawberry.type(description="A notice was taken back.")
class NoticeCancelled:
    is_type_of = of_kind(Kind.NOTICE_CANCELLED)
    notice: Notice = loaded(reading.subjects_of, description="The notice.")


@strawberry.type(description="The reach of a notice changed. Several changes may be told of as one.")
class ReachChanged:
    is_type_of = of_kind(Kind.REACH_CHANGED)
    notice: Notice = loaded(reading.subjects_of, description="The notice.")
    reach: Reach = loaded(reaches.reaches_of_events, description="Whom it reached so far.")


NoticeEvent = Annotated[
    NoticePublished | NoticeUpdated | NoticeCancelled | StreamOpened | StreamReset,
    strawberry.union("NoticeEvent", description="What happens to notices."),
]
ReachEvent = Annotated[
    ReachChanged | StreamOpened | StreamReset,
    strawberry.union("ReachEvent", description="What happens to the reach of a notice."),
]
NOTICE_KINDS = frozenset({Kind.NOTICE_PUBLISHED, Kind.NOTICE_UPDATED, Kind.NOTICE_CANCELLED})


@strawberry.type
class NoticesSubscription:
    @strawberry.subscription(
        description="Notices to the viewer, as they are sent, updated and taken back. An update counts as no"
        " less urgent than what it supersedes."
    )
    async def notice_events(
        self,
        info: Info,
        community_id: CommunityArg,
        min_severity: MinSeverityArg = Severity.INFORMATION,
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[NoticeEvent], None]:
        community = key_of("communityId", community_id, "Community")
        await reading.check_may_follow(info.context, community)
        stream = Stream(
            topic=community_topic(community),
            kinds=NOTICE_KINDS,
            requires=frozenset({community}),
            filters=frozenset(
                {("severity", frozenset(severity.value for severity in min_severity.and_above()))}
            ),
        )
        return follow(stream, after)  # type: ignore[no-any-return]

    @strawberry.subscription(
        description="The reach of a notice as it grows, for the publisher and the residents' committee."
    )
    async def reach_events(
        self,
        info: Info,
        notice_id: Annotated[strawberry.ID, strawberry.argument(description="The notice's id.")],
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[ReachEvent], None]:
        key = key_of("noticeId", notice_id, "Notice")
        overseers = await reaches.check_may_follow(info.context, key)
        stream = Stream(topic=reach_topic(key), kinds=frozenset({Kind.REACH_CHANGED}), requires=overseers)
        return follow(stream, after)  # type: ignore[no-any-return]
