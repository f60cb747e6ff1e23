"""The enums, with what their values mean. Import them from here, so that they are described before use."""

from models.directory.bookings import BookingAction, BookingState
from models.directory.entries import DirectoryCategory
from models.directory.hours import Weekday
from models.directory.licences import LicenceAction, LicenceKind, LicenceState
from schema.enums import described

__all__ = [
    "BookingAction",
    "BookingState",
    "DirectoryCategory",
    "LicenceAction",
    "LicenceKind",
    "LicenceState",
    "Weekday",
]

described(
    DirectoryCategory,
    "What kind of local service something is.",
    GOVERNMENT_AFFAIRS="Government affairs (政务): what an office does for residents.",
    GRID="The grid (网格): how those who look after a group of buildings are reached.",
    PROPERTY="Property (物业): what is done for the estate and its homes.",
    CONVENIENCE="Convenience (便民): repairs, housekeeping, courses and the like.",
    NEARBY="Nearby (周边): shops and services around the estate.",
)
described(
    LicenceKind,
    "What a merchant's licence is for.",
    BUSINESS="Doing business (营业执照).",
    FOOD="Selling food (食品经营许可证).",
    HYGIENE="Hygiene of public places (卫生许可证).",
    MEDICAL="Medical practice (医疗机构执业许可证).",
    EDUCATION="Running a school (办学许可证).",
    OTHER="Another one.",
)
described(
    LicenceState,
    "What the residents' committee has decided of a licence.",
    PENDING="Nothing yet.",
    APPROVED="The merchant's entries are seen, as long as it is valid.",
    REJECTED="It was refused, with a reason.",
    REVOKED="It was approved, and taken back with a reason.",
)
described(
    LicenceAction,
    "What was done with a licence.",
    SUBMIT="The merchant submitted it.",
    APPROVE="The committee approved it.",
    REJECT="The committee refused it.",
    REVOKE="The committee took its approval back.",
    REMIND="The clock told the merchant that it is about to expire.",
    EXPIRE="It has expired.",
)


described(
    Weekday,
    "A day of the week, in China.",
    MONDAY="Monday.",
    TUESDAY="Tuesday.",
    WEDNESDAY="Wednesday.",
    THURSDAY="Thursday.",
    FRIDAY="Friday.",
    SATURDAY="Saturday.",
    SUNDAY="Sunday.",
)
described(
    BookingState,
    "What has become of a booking.",
    BOOKED="It holds.",
    CANCELLED="Who booked it took it back, or the office called it off.",
    KEPT="Who booked it came.",
    MISSED="Who booked it did not come.",
)
described(
    BookingAction,
    "What was done with a booking.",
    BOOK="It was made.",
    CANCEL="Who booked it took it back.",
    CALL_OFF="The office called it off.",
    KEEP="The office said that who booked it came.",
    MISS="The office said that who booked it did not come.",
    REMIND="The clock reminded who booked it.",
)
