"""Official word, as clients see it: notices, receipts, reach, and their live events.

terms       the enums and what their values mean
reach       whom a notice reached, household by household
notices     notices and whom they are for
lists       the notices of a community, of an office and of the viewer
publishing  how a notice is published, updated and taken back
receipts    how it is seen, acknowledged and told at the door
mutations   what can be done
events      what can be followed live
"""

from schema.notices.events import NoticeCancelled, NoticePublished, NoticesSubscription, NoticeUpdated
from schema.notices.lists import CommunityNotices, OrganisationNotices, ViewerNotices
from schema.notices.mutations import NoticesMutation

__all__ = [
    "CommunityNotices",
    "NoticeCancelled",
    "NoticePublished",
    "NoticeUpdated",
    "NoticesMutation",
    "NoticesSubscription",
    "OrganisationNotices",
    "ViewerNotices",
]
