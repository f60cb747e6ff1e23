"""News and open affairs of a party branch, as clients see them."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.base import now
from models.party.articles import AffairCategory, ArticleKind, ArticleRow, ArticleState
from models.party.audience import BranchAudience, can_publish
from resolvers import identity
from resolvers.identity import around
from resolvers.markdown import with_addresses
from resolvers.media.links import link
from resolvers.party import articles
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import Organisation, Post, Revision
from schema.media.files import Picture
from schema.node import Node, fetched_by

described(
    BranchAudience,
    "Whom something of a party branch is for.",
    PUBLIC="Whoever may look at the community.",
    MEMBERS="The branch's members and officers; nobody else learns that it is there.",
)
described(
    AffairCategory,
    "What an open affair is about.",
    ORGANISATION="组织建设: how the branch is set up, and who leads it.",
    ADMISSION="党员发展: who is on the way to becoming a member.",
    DUES="党费收缴: dues, and what they are used for.",
    DECISION="重大决策: what was decided, and how.",
    APPOINTMENT="人事任免: who is appointed or leaves an office.",
    DISCIPLINE="纪律监督: discipline and its supervision.",
    WORK="工作计划与落实: what is planned, and what became of it.",
)
described(
    ArticleState,
    "How far an article is; it follows from its times, to the instant.",
    DRAFT="Not published; its office sees it.",
    PLANNED="It will appear at its time; its office sees it.",
    PUBLISHED="Out.",
    ARCHIVED="An affair whose time for comments is over; out, and kept.",
    WITHDRAWN="Out of view for good; its office keeps it.",
)

TEXT = "The text in Markdown (CommonMark without HTML), 1 to 20,000 characters."
HTML = (
    "The text as HTML that is safe to show: without scripts, with links to http and https only,"
    " and with pictures of this server only, whose addresses are good for 10 to 20 minutes."
)


def html_of(info: Info, subject: Any) -> str:
    """HTML in which each picture has an address."""
    tokens = info.context.services.tokens
    return with_addresses(subject.html, lambda media_id: link(tokens, media_id, subject.id))


def state_of(root: strawberry.Parent[ArticleRow]) -> ArticleState:
    return root.state_at(now())


def body_html_of(root: strawberry.Parent[ArticleRow], info: Info) -> str:
    return html_of(info, root)


def body_markdown_of(root: strawberry.Parent[ArticleRow]) -> str:
    return root.body


@strawberry.interface(description="What a party branch publishes in words: news, or an open affair.")
class PartyArticle(Node):
    audience: BranchAudience = strawberry.field(description="Whom it is for.")
    title: str = strawberry.field(description="1 to 80 characters.")
    version: int = strawberry.field(description="Grows with each change; pass it with one.")
    created_at: datetime = strawberry.field(description="When it was begun.")
    edited_at: datetime | None = strawberry.field(
        description="When it was changed after it was out, if ever."
    )
    publish_at: datetime | None = strawberry.field(description="When it appears or has appeared.")
    withdrawn_at: datetime | None = strawberry.field(description="When it was withdrawn, if it was.")
    cover: Picture | None = loaded(articles.covers_of, description="The picture above it.")
    pictures: list[Picture] = loaded(
        articles.pictures_of, description="All its pictures, the cover too; 21 at most."
    )
    branch: Organisation = loaded(around.branches, description="Whose it is.")
    author: Neighbour = loaded(identity.authors_of, description="The officer who began it.")
    post: Post | None = loaded(
        articles.posts_of,
        viewer=True,
        description="Its card in the feed, with comments and likes; null until some seconds after it is out.",
    )
    body_markdown: str = strawberry.field(resolver=body_markdown_of, description=TEXT)
    body_html: str = strawberry.field(resolver=body_html_of, description=HTML)
    state: ArticleState = strawberry.field(resolver=state_of, description="How far it is.")
    revisions: Connection[Revision] = connection(
        articles.revisions_of,
        viewer=True,
        description="What it said before it was changed, title first, the latest first."
        " For the branch's office; empty for others.",
    )

    @strawberry.field(description="Whether the viewer may change, publish and withdraw it.", metadata=VIEWER)
    @staticmethod
    def viewer_can_edit(root: strawberry.Parent[ArticleRow], info: Info) -> bool:
        return can_publish(info.context.viewer, root.branch_id)


@fetched_by(articles.visible_news_by_ids)
@strawberry.type(description="News of a party branch (党建新闻).")
class PartyNews(PartyArticle):
    is_type_of = IsA(ArticleRow, when=lambda media: media.kind is ArticleKind.NEWS)


@fetched_by(articles.visible_affairs_by_ids)
@strawberry.type(description="An affair that a party branch lays open (党务公开).")
class PartyAffair(PartyArticle):
    comments_from: datetime | None = strawberry.field(
        description="When comments open, if not with the affair."
    )
    comments_until: datetime | None = strawberry.field(
        description="When comments close and the affair is archived; null: it takes none."
    )

    @strawberry.field(description="What it is about.")
    @staticmethod
    def category(root: strawberry.Parent[ArticleRow]) -> AffairCategory:
        return root.category or AffairCategory.WORK

    @strawberry.field(description="Whether it takes comments now.")
    @staticmethod
    def takes_comments(root: strawberry.Parent[ArticleRow]) -> bool:
        return root.takes_comments_at(now())

    is_type_of = IsA(ArticleRow, when=lambda media: media.kind is ArticleKind.AFFAIR)


States = Annotated[list[ArticleState] | None, strawberry.argument(description="Only in these states.")]
Categories = Annotated[
    list[AffairCategory] | None, strawberry.argument(description="Only of these categories.")
]


def affairs_in_states(
    states: States = None, categories: Categories = None
) -> tuple[ArticleKind, frozenset[ArticleState] | None, frozenset[AffairCategory] | None]:
    about = None if categories is None else frozenset(categories)
    return ArticleKind.AFFAIR, None if states is None else frozenset(states), about


def news_in_states(states: States = None) -> tuple[ArticleKind, frozenset[ArticleState] | None, None]:
    return ArticleKind.NEWS, None if states is None else frozenset(states), None


@strawberry.type
class OrganisationArticles:
    """What its articles add to a party branch."""

    party_news: Connection[PartyNews] = connection(
        articles.articles_of,
        arguments=news_in_states,
        viewer=True,
        description="The news of the party branch that the viewer may see, the latest first."
        " Its office also sees drafts and withdrawn items.",
    )
    party_affairs: Connection[PartyAffair] = connection(
        articles.articles_of,
        arguments=affairs_in_states,
        viewer=True,
        description="The open affairs of the party branch that the viewer may see, the latest first."
        " Its office also sees drafts and withdrawn items.",
    )
