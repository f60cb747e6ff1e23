"""How a notice is seen, acknowledged and told in person."""

import strawberry

from models.notices import NoticeRow, ReceiptRow
from schema.mutations import payload, shown
from schema.notices.notices import Notice
from schema.notices.reach import Receipt
from schema.notices.terms import ReachedHow


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


@payload("The notice counts as seen in all of the viewer's homes that it was sent to.")
class MarkNoticeSeenPayload:
    notice: NoticeRow = shown(Notice, "The notice.")


@payload("The notice is acknowledged for all of the viewer's homes that it was sent to.")
class AcknowledgeNoticePayload:
    notice: NoticeRow = shown(Notice, "The notice.")


@payload("The household counts as reached.")
class RecordVisitPayload:
    receipt: ReceiptRow = shown(Receipt, "How far the notice came with the household.")
