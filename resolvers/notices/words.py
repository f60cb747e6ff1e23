"""What categories, severities and progress are called in sentences and tables."""

from collections.abc import Mapping
from typing import Final

from models.messages import Message
from models.notices import NoticeCategory, Progress, Severity

CATEGORIES: Final[Mapping[NoticeCategory, Message]] = {
    NoticeCategory.OUTAGE: Message("outage"),
    NoticeCategory.SAFETY: Message("safety"),
    NoticeCategory.WEATHER: Message("weather"),
    NoticeCategory.HEALTH: Message("health"),
    NoticeCategory.GENERAL: Message("general"),
}
SEVERITIES: Final[Mapping[Severity, Message]] = {
    Severity.INFORMATION: Message("information"),
    Severity.IMPORTANT: Message("important"),
    Severity.URGENT: Message("urgent"),
    Severity.EMERGENCY: Message("emergency"),
}
PROGRESS: Final[Mapping[Progress, Message]] = {
    Progress.TARGETED: Message("Not delivered"),
    Progress.DELIVERED: Message("Delivered"),
    Progress.SEEN: Message("Seen"),
    Progress.IN_PERSON: Message("Told in person"),
    Progress.ACKNOWLEDGED: Message("Acknowledged"),
}
