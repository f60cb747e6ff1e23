"""What happens to notices and to their reach, live."""

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
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic, reach_topic
from subscriptions.streams import Stream


@event(Kind.NOTICE_PUBLISHED, "A notice was sent.")
class NoticePublished:
    notice: Notice = loaded(reading.subjects_of, description="The notice.")


@event(Kind.NOTICE_UPDATED, "An update was sent, which supersedes another notice.")
class NoticeUpdated:
    notice: Notice = loaded(reading.subjects_of, description="The new notice.")


@event(Kind.NOTICE_CANCELLED, "A notice was taken back.")
class NoticeCancelled:
    notice: Notice = loaded(reading.subjects_of, description="The notice.")


@event(Kind.REACH_CHANGED, "The reach of a notice changed. Several changes may be told of as one.")
class ReachChanged:
    notice: Notice = loaded(reading.subjects_of, description="The notice.")
    reach: Reach = loaded(reaches.reaches_of_events, description="Whom it reached so far.")


NOTICE_EVENTS = Events(
    "NoticeEvent", NoticePublished, NoticeUpdated, NoticeCancelled, description="What happens to notices."
)
REACH_EVENTS = Events("ReachEvent", ReachChanged, description="What happens to the reach of a notice.")


@strawberry.type
class NoticesSubscription:
    @NOTICE_EVENTS.subscription
    async def notice_events(
        self,
        info: Info,
        community_id: CommunityArg,
        min_severity: MinSeverityArg = Severity.INFORMATION,
    ) -> Stream:
        """Notices to the viewer, as they are sent, updated and taken back. An update counts as no
        less urgent than what it supersedes.
        """
        community = key_of("communityId", community_id, "Community")
        await reading.check_may_follow(info.context, community)
        return Stream(
            topic=community_topic(community),
            kinds=NOTICE_EVENTS.kinds,
            requires=frozenset({community}),
            filters=frozenset(
                {("severity", frozenset(severity.value for severity in min_severity.and_above()))}
            ),
        )

    @REACH_EVENTS.subscription
    async def reach_events(
        self,
        info: Info,
        notice_id: Annotated[strawberry.ID, strawberry.argument(description="The notice's id.")],
    ) -> Stream:
        """The reach of a notice as it grows, for the publisher and the residents' committee."""
        key = key_of("noticeId", notice_id, "Notice")
        overseers = await reaches.check_may_follow(info.context, key)
        return Stream(topic=reach_topic(key), kinds=REACH_EVENTS.kinds, requires=overseers)
