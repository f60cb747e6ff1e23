"""The enums, with what their values mean. Import them from here, so that they are described before use."""

from models.notices import AudienceKind, NoticeCategory, NoticeStatus, Progress, ReachedHow, Severity
from schema.enums import described

__all__ = [
    "AudienceKind",
    "NoticeCategory",
    "NoticeStatus",
    "Progress",
    "ReachedHow",
    "Severity",
]

described(
    NoticeCategory,
    "What a notice is about.",
    OUTAGE="Water, power, gas, lifts.",
    SAFETY="Fire, theft, construction.",
    WEATHER="Storms, heat, frost.",
    HEALTH="Epidemics, vaccination, clinics.",
    GENERAL="Everything else.",
)
described(
    Severity,
    "How urgent a notice is, in rising order.",
    INFORMATION="Good to know.",
    IMPORTANT="Should be read.",
    URGENT="Must be read soon.",
    EMERGENCY="Danger: reaches even those who have muted notices.",
)
described(
    NoticeStatus,
    "What became of a notice.",
    ACTIVE="It stands.",
    SUPERSEDED="An update took its place.",
    CANCELLED="It was taken back.",
)
described(
    AudienceKind,
    "What kind of circle a notice is for.",
    COMMUNITY="Everyone in the community.",
    ESTATE="One estate.",
    BUILDING="One building.",
    GRID="One grid.",
    ROLE="Everyone who holds a role, without household receipts.",
    OFFICE="An office that looks on, without being counted.",
)
described(
    ReachedHow,
    "How a household was reached in person.",
    DOORSTEP="Somebody spoke with them at the door.",
    TELEPHONE="Somebody spoke with them on the telephone.",
)
described(
    Progress,
    "How far a notice came with one household.",
    TARGETED="It was sent to it.",
    DELIVERED="It arrived on a device.",
    SEEN="It was on a screen.",
    IN_PERSON="Somebody told them, and they have not acknowledged.",
    ACKNOWLEDGED="They have taken note.",
)
