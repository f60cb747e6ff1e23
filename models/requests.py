"""Service requests (报修 / 诉求 / 建议 / 办事): cases with a public, step-by-step status.

The life of a case is one table, `LIFE`: state × action → state; who may act is another, `MAY`. Nothing else
decides, so that what a client is offered and what the server accepts are the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from models.base import CommunityTable, made_at, now
from models.messages import OF_RECORD, Message
from models.powers import Power, has_power
from models.roles import OrganisationKind
from models.storage import fields
from models.storage.paging import Order
from models.storage.rows import NOTHING, Where
from models.visibility import Viewer, held_by


class RequestState(StrEnum):
    SUBMITTED = "SUBMITTED"
    HANDED_OVER = "HANDED_OVER"
    ACCEPTED = "ACCEPTED"
    ASSIGNED = "ASSIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    WAITING = "WAITING"
    DONE = "DONE"
    RETURNED = "RETURNED"
    CONFIRMED = "CONFIRMED"
    WITHDRAWN = "WITHDRAWN"
    DUPLICATE = "DUPLICATE"


class RequestAction(StrEnum):
    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"
    ASSIGN = "ASSIGN"
    START = "START"
    VISIT = "VISIT"
    WAIT = "WAIT"
    FINISH = "FINISH"
    HAND_OVER = "HAND_OVER"
    TAKE_OVER = "TAKE_OVER"
    REFUSE = "REFUSE"
    RECALL = "RECALL"
    MERGE = "MERGE"
    NOTE = "NOTE"
    CONFIRM = "CONFIRM"
    RETURN = "RETURN"
    WITHDRAW = "WITHDRAW"
    RATE = "RATE"
    # What nobody does, but the case or the clock.
    ABSORB = "ABSORB"
    REMIND = "REMIND"
    ESCALATE = "ESCALATE"
    CONFIRM_BY_TIME = "CONFIRM_BY_TIME"


class RequestParty(StrEnum):
    """In which quality somebody acts on a case."""

    REPORTER = "REPORTER"
    # The office that has the case.
    OFFICE = "OFFICE"
    # The office that the case is offered to.
    OFFERED = "OFFERED"
    # The residents' committee, which leads.
    OVERSEER = "OVERSEER"
    SYSTEM = "SYSTEM"


class NoteVisibility(StrEnum):
    PUBLIC = "PUBLIC"
    REPORTER = "REPORTER"
    OFFICES = "OFFICES"


class WaitingFor(StrEnum):
    RESIDENT = "RESIDENT"
    PARTS = "PARTS"
    OTHERS = "OTHERS"


class ConfirmedBy(StrEnum):
    REPORTER = "REPORTER"
    TIME = "TIME"


class RequestBucket(StrEnum):
    TO_ACCEPT = "TO_ACCEPT"
    HANDED_OVER_TO_US = "HANDED_OVER_TO_US"
    IN_HAND = "IN_HAND"
    WAITING = "WAITING"
    RETURNED = "RETURNED"
    OVERDUE = "OVERDUE"
    HANDED_OVER = "HANDED_OVER"
    TO_CONFIRM = "TO_CONFIRM"
    ESCALATED = "ESCALATED"
    CLOSED = "CLOSED"


S, A = RequestState, RequestAction

# What can be done with a case that an office has accepted, whatever else is the matter with it.
IN_HAND: dict[RequestAction, RequestState] = {
    A.ASSIGN: S.ASSIGNED,
    A.START: S.IN_PROGRESS,
    A.VISIT: S.IN_PROGRESS,
    A.WAIT: S.WAITING,
    A.FINISH: S.DONE,
    A.HAND_OVER: S.HANDED_OVER,
    A.MERGE: S.DUPLICATE,
    A.WITHDRAW: S.WITHDRAWN,
}

# State × action → state. What is not here cannot be done. NOTE leaves every state as it is.
LIFE: dict[RequestState, dict[RequestAction, RequestState]] = {
    S.SUBMITTED: {
        A.ACCEPT: S.ACCEPTED,
        A.HAND_OVER: S.HANDED_OVER,
        A.MERGE: S.DUPLICATE,
        A.WITHDRAW: S.WITHDRAWN,
    },
    S.HANDED_OVER: {
        A.TAKE_OVER: S.ACCEPTED,
        # To the residents' committee, for it to accept.
        A.REFUSE: S.SUBMITTED,
        A.RECALL: S.ACCEPTED,
        A.WITHDRAW: S.WITHDRAWN,
    },
    S.ACCEPTED: IN_HAND,
    S.ASSIGNED: IN_HAND,
    S.IN_PROGRESS: {action: state for action, state in IN_HAND.items() if action is not A.START},
    # Work goes on before the case is handed to somebody else, so that the pause has an end.
    S.WAITING: {
        A.START: S.IN_PROGRESS,
        A.VISIT: S.IN_PROGRESS,
        A.ASSIGN: S.ASSIGNED,
        A.FINISH: S.DONE,
        A.MERGE: S.DUPLICATE,
        A.WITHDRAW: S.WITHDRAWN,
    },
    S.RETURNED: IN_HAND,
    S.DONE: {A.CONFIRM: S.CONFIRMED, A.RETURN: S.RETURNED, A.CONFIRM_BY_TIME: S.CONFIRMED},
    # To reopen it, as long as the policy allows.
    S.CONFIRMED: {A.RATE: S.CONFIRMED, A.RETURN: S.RETURNED},
    S.WITHDRAWN: {},
    # The reporter says that it is another matter.
    S.DUPLICATE: {A.RETURN: S.RETURNED},
}

OFFICE = frozenset({RequestParty.OFFICE})
OFFERED = frozenset({RequestParty.OFFERED})
REPORTER = frozenset({RequestParty.REPORTER})

# Who may do it. OFFICE, OFFERED and OVERSEER are officers with HANDLE_REQUESTS.
MAY: dict[RequestAction, frozenset[RequestParty]] = {
    A.ACCEPT: OFFICE,
    A.ASSIGN: OFFICE,
    A.START: OFFICE,
    A.VISIT: OFFICE,
    A.WAIT: OFFICE,
    A.FINISH: OFFICE,
    # The residents' committee, only once the case was escalated to it.
    A.HAND_OVER: frozenset({RequestParty.OFFICE, RequestParty.OVERSEER}),
    A.RECALL: OFFICE,
    A.TAKE_OVER: OFFERED,
    A.REFUSE: OFFERED,
    A.MERGE: OFFICE,
    A.NOTE: frozenset(RequestParty) - {RequestParty.SYSTEM},
    A.CONFIRM: REPORTER,
    A.RETURN: REPORTER,
    A.WITHDRAW: REPORTER,
    A.RATE: REPORTER,
}

# Done by an officer in the name of an office, and so audited.
OFFICIAL = frozenset({RequestParty.OFFICE, RequestParty.OFFERED, RequestParty.OVERSEER})

CLOSED = frozenset({S.CONFIRMED, S.WITHDRAWN, S.DUPLICATE})
OPEN = frozenset(S) - CLOSED
TO_ACCEPT = frozenset({S.SUBMITTED, S.HANDED_OVER})
WITH_OFFICE = frozenset({S.ACCEPTED, S.ASSIGNED, S.IN_PROGRESS, S.WAITING, S.RETURNED})
# Into these another case may be merged.
MERGED_INTO = OPEN

# The kinds of organisation that handle cases.
HANDLING = frozenset(
    {
        OrganisationKind.RESIDENTS_COMMITTEE,
        OrganisationKind.OWNERS_COMMITTEE,
        OrganisationKind.PROPERTY_COMPANY,
    }
)


class PolicyRow(CommunityTable):
    """One version of how a community handles one category. The newest holds for new cases."""

    code: str = fields.CharField(max_length=24)
    version: int = fields.IntField()
    name: str = fields.CharField(max_length=40)
    office_kind: OrganisationKind = fields.CharEnumField(OrganisationKind, max_length=24)
    accept_seconds: int = fields.IntField()
    resolve_seconds: int = fields.IntField()
    # How long before a deadline the office is reminded.
    remind_seconds: int = fields.IntField()
    # How long the reporter has to confirm or return what is done, and how long before that is told so.
    confirm_seconds: int = fields.IntField()
    confirm_remind_seconds: int = fields.IntField()
    # How long after it was confirmed a case can be returned.
    reopen_seconds: int = fields.IntField()
    on_board: bool = fields.BooleanField()
    retired: bool = fields.BooleanField(default=False)
    set_by_id: UUID | None = fields.UUIDField(null=True, default=None)

    class Meta:
        table = "request_policy"
        unique_together = (("community_id", "code", "version"),)


class RequestNumberRow(CommunityTable):
    """The last number that a community gave to a case."""

    last_number: int = fields.IntField()

    class Meta:
        table = "request_number"
        unique_together = (("community_id",),)


class RequestRow(CommunityTable):
    number: int = fields.IntField()
    # The community for a case on the board, else the reporter. See models.visibility.
    scope_id: UUID = fields.UUIDField()
    reporter_id: UUID = fields.UUIDField()
    # A complaint of the feed that it was made of.
    post_id: UUID | None = fields.UUIDField(null=True, default=None, unique=True)
    category: str = fields.CharField(max_length=24)
    policy_id: UUID = fields.UUIDField()
    title: str = fields.CharField(max_length=80)
    body: str = fields.TextField()
    estate_id: UUID | None = fields.UUIDField(null=True, default=None)
    building_id: UUID | None = fields.UUIDField(null=True, default=None)
    # Only the reporter and the offices see it.
    home_id: UUID | None = fields.UUIDField(null=True, default=None)
    area: str = fields.CharField(max_length=80, default="")
    state: RequestState = fields.CharEnumField(RequestState, max_length=12)
    office_id: UUID = fields.UUIDField()
    offered_to_id: UUID | None = fields.UUIDField(null=True, default=None)
    # Whose turn it is: the office that the case is offered to, else the one that has it.
    holder_id: UUID = fields.UUIDField()
    overseer_id: UUID | None = fields.UUIDField(null=True, default=None)
    assignee_id: UUID | None = fields.UUIDField(null=True, default=None)
    tenure_id: UUID = fields.UUIDField()
    offered_tenure_id: UUID | None = fields.UUIDField(null=True, default=None)
    waiting_for: WaitingFor | None = fields.CharEnumField(WaitingFor, max_length=8, null=True, default=None)
    accept_by: datetime = fields.DatetimeField()
    resolve_by: datetime = fields.DatetimeField()
    # The deadline that runs at present, if one does.
    due_at: datetime | None = fields.DatetimeField(null=True, default=None)
    paused_at: datetime | None = fields.DatetimeField(null=True, default=None)
    # For which deadline that was done already.
    reminded_for: datetime | None = fields.DatetimeField(null=True, default=None)
    escalated_for: datetime | None = fields.DatetimeField(null=True, default=None)
    escalated_at: datetime | None = fields.DatetimeField(null=True, default=None)
    done_at: datetime | None = fields.DatetimeField(null=True, default=None)
    confirm_by: datetime | None = fields.DatetimeField(null=True, default=None)
    confirm_reminded_at: datetime | None = fields.DatetimeField(null=True, default=None)
    confirmed_by: ConfirmedBy | None = fields.CharEnumField(
        ConfirmedBy, max_length=8, null=True, default=None
    )
    closed_at: datetime | None = fields.DatetimeField(null=True, default=None)
    duplicate_of_id: UUID | None = fields.UUIDField(null=True, default=None, db_index=True)
    follower_count: int = fields.IntField(default=0)
    rating: int | None = fields.IntField(null=True, default=None)
    rating_comment: str = fields.CharField(max_length=500, default="")
    step_count: int = fields.IntField(default=0)
    version: int = fields.IntField(default=1)

    class Meta:
        table = "service_request"
        unique_together = (("community_id", "number"),)
        indexes = (
            ("community_id", "id"),
            ("community_id", "state", "id"),
            ("holder_id", "state", "id"),
            ("holder_id", "due_at", "id"),
            ("office_id", "state", "id"),
            ("overseer_id", "escalated_at", "id"),
            ("reporter_id", "id"),
        )

    @property
    def overdue(self) -> bool:
        """Whether the deadline that runs at present is over."""
        return self.due_at is not None and self.due_at < now()


class StepRow(CommunityTable):
    """One step of a case: append-only, numbered without gaps."""

    request_id: UUID = fields.UUIDField()
    ordinal: int = fields.IntField()
    action: RequestAction = fields.CharEnumField(RequestAction, max_length=16)
    from_state: RequestState | None = fields.CharEnumField(
        RequestState, max_length=12, null=True, default=None
    )
    to_state: RequestState = fields.CharEnumField(RequestState, max_length=12)
    party: RequestParty = fields.CharEnumField(RequestParty, max_length=8)
    actor_id: UUID | None = fields.UUIDField(null=True, default=None)
    # In whose name an officer acted.
    office_id: UUID | None = fields.UUIDField(null=True, default=None)
    to_office_id: UUID | None = fields.UUIDField(null=True, default=None)
    assignee_id: UUID | None = fields.UUIDField(null=True, default=None)
    linked_request_id: UUID | None = fields.UUIDField(null=True, default=None)
    waiting_for: WaitingFor | None = fields.CharEnumField(WaitingFor, max_length=8, null=True, default=None)
    rating: int | None = fields.IntField(null=True, default=None)
    note: str = fields.TextField()
    # Who reads the note. Of what changes the case only the note is ever hidden.
    visibility: NoteVisibility = fields.CharEnumField(NoteVisibility, max_length=8)
    is_public: bool = fields.BooleanField()

    class Meta:
        table = "request_step"
        unique_together = (("request_id", "ordinal"),)
        indexes = (("request_id", "id"),)


class TenureRow(CommunityTable):
    """The time that one office had a case: what statistics count."""

    request_id: UUID = fields.UUIDField(db_index=True)
    organisation_id: UUID = fields.UUIDField()
    received_at: datetime = fields.DatetimeField()
    accept_by: datetime = fields.DatetimeField()
    resolve_by: datetime = fields.DatetimeField()
    accepted_at: datetime | None = fields.DatetimeField(null=True, default=None)
    accept_seconds: int | None = fields.IntField(null=True, default=None)
    accepted_in_time: bool | None = fields.BooleanField(null=True, default=None)
    resolved_at: datetime | None = fields.DatetimeField(null=True, default=None)
    resolve_seconds: int | None = fields.IntField(null=True, default=None)
    resolved_in_time: bool | None = fields.BooleanField(null=True, default=None)
    # In which the case was not the office's to move.
    paused_seconds: int = fields.IntField(default=0)
    returns: int = fields.IntField(default=0)
    escalations: int = fields.IntField(default=0)
    rating: int | None = fields.IntField(null=True, default=None)
    ended_at: datetime | None = fields.DatetimeField(null=True, default=None)

    class Meta:
        table = "request_tenure"
        indexes = (("organisation_id", "received_at"),)


class RequestFollowerRow(CommunityTable):
    """Me too: somebody whom the case concerns as well."""

    request_id: UUID = fields.UUIDField()
    account_id: UUID = fields.UUIDField(db_index=True)

    class Meta:
        table = "request_follower"
        unique_together = (("request_id", "account_id"),)


BOARD = Order("requests", ("id",))
QUEUE = Order("request-queue", ("id",), descending=False)
BY_DUE = Order("overdue-requests", ("due_at", "id"), descending=False)
STEPS = Order("request-steps", ("id",), descending=False)


# Policy

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class DefaultPolicy:
    name: Message
    office_kind: OrganisationKind
    accept: int
    resolve: int
    on_board: bool = True


# What holds in a community that has set nothing itself.
DEFAULTS: dict[str, DefaultPolicy] = {
    "REPAIR": DefaultPolicy(Message("Repairs"), OrganisationKind.PROPERTY_COMPANY, 1 * DAY, 3 * DAY),
    "SAFETY": DefaultPolicy(Message("Safety hazards"), OrganisationKind.PROPERTY_COMPANY, 2 * HOUR, 1 * DAY),
    "ENVIRONMENT": DefaultPolicy(
        Message("Environment and hygiene"), OrganisationKind.PROPERTY_COMPANY, 1 * DAY, 3 * DAY
    ),
    "COMPLAINT": DefaultPolicy(Message("Complaints"), OrganisationKind.RESIDENTS_COMMITTEE, 1 * DAY, 7 * DAY),
    "SUGGESTION": DefaultPolicy(
        Message("Suggestions"), OrganisationKind.RESIDENTS_COMMITTEE, 3 * DAY, 15 * DAY
    ),
    "COMMON_PARTS": DefaultPolicy(
        Message("Common parts"), OrganisationKind.OWNERS_COMMITTEE, 3 * DAY, 15 * DAY
    ),
    # Personal by nature: seen by the reporter and the offices only.
    "GOVERNMENT": DefaultPolicy(
        Message("Government affairs"), OrganisationKind.RESIDENTS_COMMITTEE, 1 * DAY, 15 * DAY, on_board=False
    ),
    "OTHER": DefaultPolicy(
        Message("Other requests"), OrganisationKind.RESIDENTS_COMMITTEE, 2 * DAY, 10 * DAY
    ),
}
CONFIRM_WITHIN = 7 * DAY
CONFIRM_REMIND = 2 * DAY
REOPEN_WITHIN = 30 * DAY


def default_policies(community_id: UUID) -> list[PolicyRow]:
    """The policies that a community begins with; the same every time."""
    return [
        PolicyRow(
            id=uuid5(community_id, f"request-policy/{code}"),
            community_id=community_id,
            code=code,
            version=1,
            name=default.name.in_language(OF_RECORD),
            office_kind=default.office_kind,
            accept_seconds=default.accept,
            resolve_seconds=default.resolve,
            remind_seconds=default.accept // 2,
            confirm_seconds=CONFIRM_WITHIN,
            confirm_remind_seconds=CONFIRM_REMIND,
            reopen_seconds=REOPEN_WITHIN,
            on_board=default.on_board,
            retired=False,
            set_by_id=None,
            created_at=made_at(community_id),
        )
        for code, default in DEFAULTS.items()
    ]


# Who may see and do what


def visible_to(viewer: Viewer, alias: str = "t") -> Where:
    """The cases that the viewer sees: those of the board, the own ones, and the offices' own."""
    if not viewer.scopes:
        return NOTHING
    where = held_by(viewer, f"{alias}.scope_id") | held_by(viewer, f"{alias}.reporter_id")
    for column in ("office_id", "offered_to_id", "overseer_id"):
        where |= held_by(viewer, f"{alias}.{column}")
    return where


def audience(row: RequestRow) -> frozenset[UUID]:
    """Whoever may see the case: the same as `visible_to`, for the event log."""
    return offices_of(row) | {row.scope_id, row.reporter_id}


def offices_of(row: RequestRow) -> frozenset[UUID]:
    """The offices that have to do with the case, and see whom it is from."""
    return frozenset(
        office for office in (row.office_id, row.offered_to_id, row.overseer_id) if office is not None
    )


def readers(row: RequestRow, visibility: NoteVisibility) -> frozenset[UUID]:
    """Whoever may read a note of this visibility."""
    match visibility:
        case NoteVisibility.PUBLIC:
            return audience(row)
        case NoteVisibility.REPORTER:
            return offices_of(row) | {row.reporter_id}
        case NoteVisibility.OFFICES:
            return offices_of(row)


def steps_visible_to(viewer: Viewer) -> Where:
    """The steps (as ``t``) of a case that the viewer sees; `readers` says the same of their notes."""
    if not viewer.scopes:
        return NOTHING
    inside = NOTHING
    for column in ("r.office_id", "r.offered_to_id", "r.overseer_id", "t.office_id"):
        inside |= held_by(viewer, column)
    inside |= Where("t.visibility = 'REPORTER'") & held_by(viewer, "r.reporter_id")
    return Where("t.is_public = ?", (True,)) | Where(
        f"EXISTS (SELECT 1 FROM service_request r WHERE r.id = t.request_id AND ({inside.text}))",
        inside.params,
    )


def can_read_note(viewer: Viewer, step: StepRow, row: RequestRow) -> bool:
    """May the viewer, who sees the step, read its note?"""
    own = step.office_id is not None and step.office_id in viewer.scopes
    return own or viewer.may_see(readers(row, step.visibility))


def parties_of(viewer: Viewer, row: RequestRow) -> list[RequestParty]:
    """In which qualities may the viewer act on the case?"""
    held: list[RequestParty] = []
    if viewer.account_id == row.reporter_id:
        held.append(RequestParty.REPORTER)
    for party, office in (
        (RequestParty.OFFICE, row.office_id),
        (RequestParty.OFFERED, row.offered_to_id),
        (RequestParty.OVERSEER, row.overseer_id),
    ):
        if office is not None and has_power(viewer, office, Power.HANDLE_REQUESTS):
            held.append(party)
    return held


def acting_party(viewer: Viewer, row: RequestRow, action: RequestAction) -> RequestParty | None:
    """In which quality may the viewer do this to the case, if in any?"""
    for party in parties_of(viewer, row):
        if party not in MAY.get(action, frozenset()):
            continue
        if party is RequestParty.OVERSEER and action is RequestAction.HAND_OVER and row.escalated_at is None:
            continue
        return party
    return None


def state_after(state: RequestState, action: RequestAction) -> RequestState | None:
    """The state that an action leads to; None if it cannot be done in this one."""
    return state if action is RequestAction.NOTE else LIFE[state].get(action)


def can_report(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer bring a case before the offices of this community, and follow those of others?"""
    return viewer.belongs_to(community_id)


def can_see_reporter(viewer: Viewer, row: RequestRow) -> bool:
    """May the viewer see whose case it is, what exactly was said, and from which home?"""
    return viewer.account_id == row.reporter_id or any(
        has_power(viewer, office, Power.HANDLE_REQUESTS) for office in offices_of(row)
    )


def can_see_queue(viewer: Viewer, organisation_id: UUID) -> bool:
    """May the viewer see which cases wait for this office?"""
    return has_power(viewer, organisation_id, Power.HANDLE_REQUESTS)


def overdue(at: datetime) -> Where:
    """The cases (as ``t``) whose running deadline is over."""
    return Where("t.due_at < ?", (at,))


def in_states(states: Iterable[RequestState]) -> Where:
    return Where("t.state IN (?)", (sorted(states),))
