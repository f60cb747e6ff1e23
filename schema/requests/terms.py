"""The enums, with what their values mean. Import them from here, so that they are described before use."""

from models.requests import (
    ConfirmedBy,
    NoteVisibility,
    RequestAction,
    RequestBucket,
    RequestParty,
    RequestState,
    WaitingFor,
)
from schema.enums import described

__all__ = [
    "ConfirmedBy",
    "NoteVisibility",
    "RequestAction",
    "RequestBucket",
    "RequestParty",
    "RequestState",
    "WaitingFor",
]

described(
    RequestState,
    "How far a service request is.",
    SUBMITTED="An office has it, and has not accepted it yet.",
    HANDED_OVER="It is offered to another office, which has not answered yet.",
    ACCEPTED="An office has accepted it.",
    ASSIGNED="An officer is to do it.",
    IN_PROGRESS="It is being done.",
    WAITING="It cannot go on until something happens; see `waitingFor`.",
    DONE="The office says that it is done; the reporter has not said so yet.",
    RETURNED="The reporter says that it is not done: the office has it again.",
    CONFIRMED="It is done, as the reporter says, or by time; see `confirmedBy`.",
    WITHDRAWN="The reporter took it back.",
    DUPLICATE="It goes on in another request; see `duplicateOf`.",
)
described(
    RequestAction,
    "What can be done with a service request, or happens to it.",
    SUBMIT="Report it.",
    ACCEPT="Accept it.",
    ASSIGN="Give it to an officer.",
    START="Begin, or go on.",
    VISIT="Record a visit.",
    WAIT="Say what it waits for.",
    FINISH="Say that it is done.",
    HAND_OVER="Offer it to another office.",
    TAKE_OVER="Accept what another office offers.",
    REFUSE="Refuse what another office offers: it goes to the residents' committee.",
    RECALL="Take back what another office has not answered.",
    MERGE="Say that it is the same matter as another request.",
    NOTE="Write something down.",
    CONFIRM="Confirm that it is done.",
    RETURN="Say that it is not done, or not the same matter.",
    WITHDRAW="Take it back.",
    RATE="Say how satisfied one is.",
    ABSORB="Another request was merged into it.",
    REMIND="A deadline comes near.",
    ESCALATE="A deadline is over: the residents' committee was told.",
    CONFIRM_BY_TIME="The reporter was reminded and did not answer.",
)
described(
    RequestParty,
    "In which quality somebody acts on a service request.",
    REPORTER="Who reported it.",
    OFFICE="The office that has it.",
    OFFERED="The office that it is offered to.",
    OVERSEER="The residents' committee, which leads.",
    SYSTEM="Nobody: the clock.",
)
described(
    NoteVisibility,
    "Who reads a note.",
    PUBLIC="Everyone who sees the request.",
    REPORTER="Who reported it, and the offices.",
    OFFICES="The offices.",
)
described(
    WaitingFor,
    "What a request waits for.",
    RESIDENT="The reporter. The time to resolve stands still.",
    PARTS="Parts or material.",
    OTHERS="Somebody else.",
)
described(
    ConfirmedBy,
    "How it was confirmed that a request is done.",
    REPORTER="The reporter said so.",
    TIME="The reporter was reminded and did not answer in time.",
)
described(
    RequestBucket,
    "A part of an office's queue.",
    TO_ACCEPT="New ones, to accept or to hand over.",
    HANDED_OVER_TO_US="Offered by another office, to take over or to refuse.",
    IN_HAND="Accepted, assigned or in progress.",
    WAITING="Waiting for the resident, for parts or for others.",
    RETURNED="Returned by the reporter.",
    OVERDUE="Past the deadline that runs now.",
    HANDED_OVER="Offered to another office, which has not answered.",
    TO_CONFIRM="Done, for the reporter to confirm.",
    ESCALATED="Open ones of any office that were overdue; for the residents' committee.",
    CLOSED="Confirmed, withdrawn and merged ones.",
)
