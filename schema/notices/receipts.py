"""How a notice is seen, acknowledged and told in person."""

from typing import Annotated

import strawberry

from schema.notices.notices import Notice
from schema.notices.reach import Receipt
from schema.notices.terms import ReachedHow
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound


@strawberry.input(description="Which notice was on the screen.")
class MarkNoticeSeenInput:
    notice_id: strawberry.ID = strawberry.field(description="The notice.")


@strawberry.input(description="Which notice to acknowledge.")
class AcknowledgeNoticeInput:
    notice_id: strawberry.ID = strawberry.field(description="The notice.")


@strawberry.input(description="Which household was told of what, and how.")
class RecordVisitInput:
    notice_id: strawberry.ID = strawberry.field(description="The notice.")
    home_id: strawberry.ID = strawberry.field(description="The household's home.")
    how: ReachedHow = strawberry.field(description="How they were told.")
    note: str = strawberry.field(
        default="", description="For the offices, at most 500 characters; nothing personal."
    )


@strawberry.type(description="The notice counts as seen in all of the viewer's homes that it was sent to.")
class MarkNoticeSeenPayload:
    notice: Notice = strawberry.field(description="The notice.")


@strawberry.type(description="The notice is acknowledged for all of the viewer's homes that it was sent to.")
class AcknowledgeNoticePayload:
    notice: Notice = strawberry.field(description="The notice.")


@strawberry.type(description="The household counts as reached.")
class RecordVisitPayload:
    receipt: Receipt = strawberry.field(description="How far the notice came with the household.")


MarkNoticeSeenResult = Annotated[
    MarkNoticeSeenPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("MarkNoticeSeenResult", description="What `markNoticeSeen` answers."),
]
AcknowledgeNoticeResult = Annotated[
    AcknowledgeNoticePayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("AcknowledgeNoticeResult", description="What `acknowledgeNotice` answers."),
]
RecordVisitResult = Annotated[
    RecordVisitPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("RecordVisitResult", description="What `recordVisit` answers."),
]
