"""The enums, with what their values mean. Import them from here, so that they are described before use."""

from models.motions import (
    Channel,
    Choice,
    ElectorKind,
    ItemClass,
    MotionPhase,
    MotionStatus,
    PaperStatus,
    ProxyStatus,
    ScopeKind,
    Standing,
    Via,
)
from resolvers.motions.tally import Measure, Outcome
from schema.enums import described

__all__ = [
    "Channel",
    "Choice",
    "ElectorKind",
    "ItemClass",
    "Measure",
    "MotionPhase",
    "MotionStatus",
    "Outcome",
    "PaperStatus",
    "ProxyStatus",
    "ScopeKind",
    "Standing",
    "Via",
]

described(
    ItemClass,
    "What an item is in law: Civil Code, article 278, paragraph 1, items 1 to 9.",
    ASSEMBLY_RULES="1: the rules of the owners' assembly.",
    MANAGEMENT_CONVENTION="2: the management convention.",
    COMMITTEE_ELECTION="3: electing the owners' committee or changing its members.",
    PROPERTY_MANAGER="4: hiring or dismissing the property company or another manager.",
    USE_OF_FUNDS="5: using the maintenance funds.",
    RAISING_FUNDS="6: raising maintenance funds. Needs three quarters.",
    REBUILDING="7: altering or rebuilding buildings and facilities. Needs three quarters.",
    COMMON_PARTS="8: changing the use of common parts, or running a business with them."
    " Needs three quarters.",
    OTHER_MATTERS="9: other important matters of common property.",
)
described(
    MotionStatus,
    "What became of a motion.",
    DRAFT="It is being written.",
    ANNOUNCED="It was announced, and opens at its hour.",
    OPEN="It was opened.",
    CLOSED="It was counted.",
    WITHDRAWN="It was withdrawn before it opened.",
)
described(
    MotionPhase,
    "Where a motion stands by the clock.",
    DRAFT="It is being written; only its organisation sees it.",
    ANNOUNCED="It opens at its hour.",
    OPEN="Ballots are taken.",
    COUNTING="It is closed, and the result is not there yet.",
    CLOSED="The result is there.",
    WITHDRAWN="It was withdrawn before it opened.",
)
described(
    ScopeKind,
    "Whose owners vote.",
    COMMUNITY="Those of the whole community.",
    ESTATE="Those of one estate.",
    BUILDINGS="Those of some buildings.",
)
described(
    Choice,
    "An answer to an item.",
    YES="For it.",
    NO="Against it.",
    ABSTAIN="Takes part, and is neither for nor against.",
)
described(
    Channel,
    "How a ballot came.",
    ONLINE="The voter cast it online.",
    PAPER="On paper, entered by two officers.",
    DOORSTEP="On paper, collected from door to door, entered by two officers.",
)
described(
    Via,
    "In which quality somebody casts a ballot.",
    OWNER="As an owner or co-owner.",
    PROXY="As the owners' proxy.",
    OFFICE="As officers who enter a paper.",
)
described(
    ElectorKind,
    "What a head is.",
    OWNER="The owners of one or more homes.",
    DEVELOPER="The developer, with all unsold homes.",
    UNKNOWN="Whoever owns a home whose owner nobody has registered.",
)
described(
    Standing,
    "Whether a ballot counts.",
    COUNTED="It counts.",
    SUPERSEDED="The voter has changed it.",
    DISPUTED="Another ballot of the same home came before it; that one counts until the office settles it.",
    SET_ASIDE="The office settled a conflict in favour of the other ballot.",
)
described(
    PaperStatus,
    "How far a paper ballot is.",
    ENTERED="One officer has entered it.",
    CONFIRMED="Two officers have entered the same; it is in the box.",
    DISCREPANT="The two officers entered different things; it must be entered again.",
)
described(
    ProxyStatus,
    "What became of a proxy.",
    PENDING="An officer will look at the evidence.",
    APPROVED="The proxy may cast the ballot.",
    REJECTED="The evidence did not do.",
    REVOKED="It was ended.",
)
described(
    Outcome,
    "What became of an item.",
    ADOPTED="Adopted.",
    REJECTED="Rejected.",
    FAILED_PARTICIPATION="Failed: participation. Too few took part for any decision.",
)
described(Measure, "What a test measures.", AREA="Exclusive area, in square centimetres.", HEADS="Owners.")
