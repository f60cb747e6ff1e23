"""Pioneers of a party branch, as clients see them."""

from datetime import date, datetime

import strawberry

from models.party import pioneers as rules
from models.party.audience import BranchAudience, can_publish
from models.party.pioneers import DeedRow, PioneerRow, PioneerState, PledgeRow, PledgeState
from resolvers import identity
from resolvers.identity import around
from resolvers.party import deeds, pioneers
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import Organisation, Post
from schema.media.files import Picture
from schema.node import Node, fetched_by
from schema.party.articles import HTML, TEXT, html_of

described(
    PioneerState,
    "How far a pioneer's profile is.",
    PROPOSED="The branch has written it, and the member is asked.",
    AGREED="The member has agreed to it.",
    PUBLISHED="Out.",
)
described(PledgeState, "What became of a pledge.", MADE="Made.", KEPT="Kept, as the branch says.")


@fetched_by(deeds.visible_pledges_by_ids)
@strawberry.type(description="What a pioneer promises.")
class PioneerPledge(Node):
    body: str = strawberry.field(description="1 to 200 characters.")
    state: PledgeState = strawberry.field(description="What became of it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    kept_at: datetime | None = strawberry.field(description="When the branch said that it is kept.")

    is_type_of = IsA(PledgeRow)


@fetched_by(deeds.visible_deeds_by_ids)
@strawberry.type(description="Something that a pioneer did.")
class PioneerDeed(Node):
    body: str = strawberry.field(description="1 to 500 characters.")
    done_on: date = strawberry.field(description="The day.")
    picture: Picture | None = loaded(deeds.pictures_of, description="A picture of it.")

    is_type_of = IsA(DeedRow)


def story_html_of(root: strawberry.Parent[PioneerRow], info: Info) -> str:
    return html_of(info, root)


def story_markdown_of(root: strawberry.Parent[PioneerRow]) -> str:
    return root.story


@fetched_by(pioneers.visible_by_ids)
@strawberry.type(
    description="A member whom a party branch shows as a pioneer (党员先锋), having agreed to the text."
)
class Pioneer(Node):
    audience: BranchAudience = strawberry.field(description="Whom it is shown to.")
    headline: str = strawberry.field(description="1 to 80 characters.")
    state: PioneerState = strawberry.field(description="How far the profile is.")
    thank_count: int = strawberry.field(description="How many neighbours have thanked.")
    version: int = strawberry.field(description="Grows with each change; pass it with one.")
    created_at: datetime = strawberry.field(description="When it was proposed.")
    consented_at: datetime | None = strawberry.field(description="When the member agreed to the text.")
    publish_at: datetime | None = strawberry.field(description="Since when it is out.")
    person: Neighbour = loaded(identity.neighbours_of, description="Who, as neighbours know them.")
    portrait: Picture | None = loaded(pioneers.portraits_of, description="A picture of the pioneer.")
    branch: Organisation = loaded(around.branches, description="The party branch.")
    post: Post | None = loaded(
        pioneers.posts_of, viewer=True, description="Its card in the feed, with comments and likes."
    )
    viewer_has_thanked: bool = loaded(
        pioneers.viewer_has_thanked, viewer=True, description="Whether the viewer has thanked."
    )
    story_markdown: str = strawberry.field(resolver=story_markdown_of, description=TEXT)
    story_html: str = strawberry.field(resolver=story_html_of, description=HTML)
    pledges: Connection[PioneerPledge] = connection(
        deeds.pledges_of, description="What the pioneer promises, in order."
    )
    deeds: Connection[PioneerDeed] = connection(
        deeds.deeds_of, description="What the pioneer did, the last told first."
    )

    @strawberry.field(description="Whether the viewer may change and publish it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_edit(root: strawberry.Parent[PioneerRow], info: Info) -> bool:
        return can_publish(info.context.viewer, root.branch_id)

    @strawberry.field(description="Whether it is of the viewer, who agrees to it or not.", metadata=VIEWER)
    @staticmethod
    def viewer_can_consent(root: strawberry.Parent[PioneerRow], info: Info) -> bool:
        return rules.is_member_shown(info.context.viewer, root)

    @strawberry.field(description="Whether the viewer may thank.", metadata=VIEWER)
    @staticmethod
    def viewer_can_thank(root: strawberry.Parent[PioneerRow], info: Info) -> bool:
        return rules.can_thank(info.context.viewer, root)

    is_type_of = IsA(PioneerRow)


@strawberry.type
class OrganisationPioneers:
    """What its pioneers add to a party branch."""

    pioneers: Connection[Pioneer] = connection(
        pioneers.pioneers_of,
        viewer=True,
        description="The pioneers of the party branch whom the viewer may see, the last proposed first."
        " Its office also sees those that are not published.",
    )
