"""What happens to activities, live."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from resolvers import posts
from resolvers.activities import reading
from schema.activities.activities import Activity, ActivitySignUp
from schema.activities.lists import HOSTS
from schema.fields import Info, loaded
from schema.node import key_of
from schema.streams import AFTER, Envelope, StreamOpened, StreamReset, follow, of_kind
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

AS_IT_IS = "As it is now."


@strawberry.type(description="An activity was announced.")
class ActivityPublished:
    is_type_of = of_kind(Kind.ACTIVITY_PUBLISHED)
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@strawberry.type(description="An activity was edited.")
class ActivityChanged:
    is_type_of = of_kind(Kind.ACTIVITY_CHANGED)
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@strawberry.type(description="An activity was called off.")
class ActivityCancelled:
    is_type_of = of_kind(Kind.ACTIVITY_CANCELLED)
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@strawberry.type(
    description="More people come, wait or are there, or fewer. Of several such events a client that lags may"
    " get only the last."
)
class ActivityCountersChanged:
    is_type_of = of_kind(Kind.ACTIVITY_COUNTED)
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@strawberry.type(description="The viewer's own sign-up has changed: moved up, taken back, checked in.")
class ActivitySignUpChanged:
    is_type_of = of_kind(Kind.ACTIVITY_SIGN_UP)
    sign_up: ActivitySignUp | None = loaded(reading.sign_ups_of_events, viewer=True, description=AS_IT_IS)


ActivityEvent = Annotated[
    ActivityPublished
    | ActivityChanged
    | ActivityCancelled
    | ActivityCountersChanged
    | ActivitySignUpChanged
    | StreamOpened
    | StreamReset,
    strawberry.union("ActivityEvent", description="What happens to activities."),
]
ACTIVITY_KINDS = frozenset(
    {
        Kind.ACTIVITY_PUBLISHED,
        Kind.ACTIVITY_CHANGED,
        Kind.ACTIVITY_CANCELLED,
        Kind.ACTIVITY_COUNTED,
        Kind.ACTIVITY_SIGN_UP,
    }
)
AfterEvent = Annotated[str | None, strawberry.argument(description=AFTER)]


@strawberry.type
class ActivitiesSubscription:
    @strawberry.subscription(
        description="A community's activities, those of one host, or one of them, as they change; and the"
        " viewer's own sign-ups."
    )
    async def activity_events(
        self,
        info: Info,
        community_id: Annotated[strawberry.ID, strawberry.argument(description="The community.")],
        host: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those held by this host.")
        ] = None,
        activity_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only this activity.")
        ] = None,
        after: AfterEvent = None,
    ) -> AsyncGenerator[Envelope[ActivityEvent], None]:
        key = key_of("communityId", community_id, "Community")
        requires = await posts.followed_community(info.context, key)
        thread = None if activity_id is None else key_of("activityId", activity_id, "Activity")
        if thread is not None:
            requires = frozenset({(await reading.visible(info.context, thread)).scope_id})
        wanted = set() if host is None else {("host", frozenset({str(key_of("host", host, *HOSTS))}))}
        stream = Stream(
            topic=community_topic(key),
            kinds=ACTIVITY_KINDS,
            requires=requires,
            thread=thread,
            filters=frozenset(wanted),
        )
        return follow(stream, after)  # type: ignore[no-any-return]
