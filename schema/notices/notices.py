"""Notices and whom they are for, as clients see them."""

from datetime import datetime

import strawberry

from models.base import now
from models.notices import AudienceRow, NoticeRow, can_see_reach
from models.roles import OrganisationKind, Role
from resolvers import comments as discussion
from resolvers.identity import around
from resolvers.notices import reach as reaches
from resolvers.notices import reading
from schema.comments import Commented
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import loaded, permitted
from schema.identity import Neighbour
from schema.links import Organisation
from schema.node import fetched_by
from schema.notices.reach import Reach, Receipt
from schema.notices.terms import AudienceKind, NoticeCategory, NoticeStatus, Severity


@strawberry.type(description="A circle that a notice is for.")
class NoticeAudience:
    kind: AudienceKind = strawberry.field(description="What kind of circle.")
    label: str = strawberry.field(
        description="The name of the place when the notice was sent, as in `丰盛园 3号楼`; empty for a role."
    )
    organisation_kind: OrganisationKind | None = strawberry.field(
        description="For a role: in organisations of this kind."
    )
    role: Role | None = strawberry.field(description="For a role: which.")

    is_type_of = IsA(AudienceRow)


def valid_now_of(root: strawberry.Parent[NoticeRow]) -> bool:
    return root.valid_at(now())


@fetched_by(reading.visible_by_ids)
@strawberry.type(
    description="An official message to the residents. It never changes once it is sent:"
    " an update is a new notice that supersedes it, as in the Common Alerting Protocol."
)
class Notice(Commented):
    organisation: Organisation = loaded(around.organisations, description="Who published it.")
    author: Neighbour = loaded(discussion.authors_of, description="Who wrote it.")
    category: NoticeCategory = strawberry.field(description="What it is about.")
    severity: Severity = strawberry.field(description="How urgent it is.")
    status: NoticeStatus = strawberry.field(description="What became of it.")
    title: str = strawberry.field(description="At most 80 characters.")
    body: str = strawberry.field(description="At most 5,000 characters.")
    starts_at: datetime = strawberry.field(description="When it begins to hold.")
    ends_at: datetime | None = strawberry.field(description="When it ends; null: until it is taken back.")
    created_at: datetime = strawberry.field(description="When it was sent.")
    cancelled_at: datetime | None = strawberry.field(description="When it was taken back.")
    cancel_reason: str = strawberry.field(description="Why it was taken back; empty if it was not.")
    version: int = strawberry.field(description="For `updateNotice` and `cancelNotice`.")
    audience: list[NoticeAudience] = loaded(reading.audiences_of, description="Whom it is for.")
    supersedes: "Notice | None" = loaded(
        reading.superseded_by, description="The notice that it took the place of."
    )
    superseded_by: "Notice | None" = loaded(
        reading.superseding, description="The update that took its place."
    )
    viewer_receipts: list[Receipt] = loaded(
        reading.viewers_receipts, description="How far it came with each of the viewer's homes.", viewer=True
    )
    valid_now: bool = strawberry.field(
        resolver=valid_now_of, description="Whether it stands now: active, begun and not over."
    )
    history: Connection["Notice"] = connection(
        reading.histories_of, description="The whole chain of updates that it belongs to, oldest first."
    )
    viewer_can_see_reach: bool = permitted(can_see_reach, description="Whether the viewer may see `reach`.")
    reach: Reach | None = loaded(
        reaches.reaches_of,
        viewer=True,
        check=reaches.check_may_see,
        description="Whom it reached. For the publisher and the residents' committee;"
        " null with an error for others.",
    )
    round: Connection[Receipt] | None = connection(
        reaches.rounds_of,
        viewer=True,
        check=reaches.check_may_see,
        description="The households not reached yet in the grids that the viewer looks after,"
        " in walking order. An error and null for those who may not see `reach`.",
    )

    is_type_of = IsA(NoticeRow)
