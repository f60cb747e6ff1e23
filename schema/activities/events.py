"""What happens to activities, live."""

from typing import Annotated

import strawberry

from resolvers import posts
from resolvers.activities import reading
from schema.activities.activities import Activity, ActivitySignUp
from schema.activities.lists import HOSTS
from schema.fields import Info, loaded
from schema.node import key_of
from schema.streams import Events, event
from subscriptions.events import Kind, community_topic
from subscriptions.streams import Stream

AS_IT_IS = "As it is now."


@event(Kind.ACTIVITY_PUBLISHED, "An activity was announced.")
class ActivityPublished:
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@event(Kind.ACTIVITY_CHANGED, "An activity was edited.")
class ActivityChanged:
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@event(Kind.ACTIVITY_CANCELLED, "An activity was called off.")
class ActivityCancelled:
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@event(
    Kind.ACTIVITY_COUNTED,
    "The number of people who come, wait or are present has changed."
    " Of several such events a client that lags may get only the last.",
)
class ActivityCountersChanged:
    activity: Activity | None = loaded(reading.activities_of_events, description=AS_IT_IS)


@event(Kind.ACTIVITY_SIGN_UP, "The viewer's own sign-up has changed: moved up, taken back, checked in.")
class ActivitySignUpChanged:
    sign_up: ActivitySignUp | None = loaded(reading.sign_ups_of_events, viewer=True, description=AS_IT_IS)


ACTIVITY_EVENTS = Events(
    "ActivityEvent",
    ActivityPublished,
    ActivityChanged,
    ActivityCancelled,
    ActivityCountersChanged,
    ActivitySignUpChanged,
    description="What happens to activities.",
)


@strawberry.type
class ActivitiesSubscription:
    @ACTIVITY_EVENTS.subscription
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
    ) -> Stream:
        """A community's activities, those of one host, or one of them, as they change; and the
        viewer's own sign-ups.
        """
        key = key_of("communityId", community_id, "Community")
        requires = await posts.followed_community(info.context, key)
        thread = None if activity_id is None else key_of("activityId", activity_id, "Activity")
        if thread is not None:
            requires = frozenset({(await reading.visible(info.context, thread)).scope_id})
        wanted = set() if host is None else {("host", frozenset({str(key_of("host", host, *HOSTS))}))}
        return Stream(
            topic=community_topic(key),
            kinds=ACTIVITY_EVENTS.kinds,
            requires=requires,
            thread=thread,
            filters=frozenset(wanted),
        )
