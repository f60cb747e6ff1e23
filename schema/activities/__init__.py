"""Activities, as clients see them.

terms       the enums and what their values mean
activities  activities, series and sign-ups
lists       a community's activities
organising  what their organisers do
signing_up  what those who come do
calendar    the viewer's calendar and its address
events      what can be followed live
"""

from schema.activities.activities import Activity
from schema.activities.calendar import CalendarMutation, ViewerCalendar
from schema.activities.events import (
    ActivitiesSubscription,
    ActivityCancelled,
    ActivityChanged,
    ActivityCountersChanged,
    ActivityPublished,
    ActivitySignUpChanged,
)
from schema.activities.lists import CommunityActivities
from schema.activities.organising import OrganisingMutation
from schema.activities.sign_ups import SigningUpMutation

__all__ = [
    "ACTIVITY_KINDS",
    "ActivitiesSubscription",
    "Activity",
    "ActivityCancelled",
    "ActivityChanged",
    "ActivityCountersChanged",
    "ActivityPublished",
    "ActivitySignUpChanged",
    "CalendarMutation",
    "CommunityActivities",
    "OrganisingMutation",
    "SigningUpMutation",
    "ViewerCalendar",
]
