"""Writing, publishing and withdrawing what a party branch says."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import strawberry

from models.party.articles import AffairCategory, ArticleKind, ArticleRow
from models.party.audience import BranchAudience
from resolvers.context import Context
from resolvers.errors import NotFound as Missing
from resolvers.party import articles, publishing
from resolvers.party.articles import ArticleDraft
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, payload, shown
from schema.node import key_of
from schema.party.articles import TEXT, PartyAffair, PartyArticle, PartyNews
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound

TITLE = "1 to 80 characters."
COVER = "An upload of one's own, to stand above it."
VERSION = "The version that was read."
AUDIENCE = "Whom it is for; stays as it is once it is out."
FROM = "When comments open; left out, with the affair."
UNTIL = "When comments close and the affair is archived; left out, it takes none."


@strawberry.input(description="News to begin.")
class CreatePartyNewsInput:
    branch_id: strawberry.ID = strawberry.field(description="The party branch in whose name it is.")
    title: str = strawberry.field(description=TITLE)
    body: str = strawberry.field(description=TEXT)
    audience: BranchAudience = strawberry.field(description=AUDIENCE)
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    cover_id: strawberry.ID | None = strawberry.field(default=None, description=COVER)


@strawberry.input(description="An affair to lay open.")
class CreatePartyAffairInput:
    branch_id: strawberry.ID = strawberry.field(description="The party branch in whose name it is.")
    category: AffairCategory = strawberry.field(description="What it is about.")
    title: str = strawberry.field(description=TITLE)
    body: str = strawberry.field(description=TEXT)
    audience: BranchAudience = strawberry.field(description=AUDIENCE)
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    cover_id: strawberry.ID | None = strawberry.field(default=None, description=COVER)
    comments_from: datetime | None = strawberry.field(default=None, description=FROM)
    comments_until: datetime | None = strawberry.field(default=None, description=UNTIL)


@strawberry.input(description="What news shall say, all of it.")
class EditPartyNewsInput:
    news_id: strawberry.ID = strawberry.field(description="The news.")
    version: int = strawberry.field(description=VERSION)
    title: str = strawberry.field(description=TITLE)
    body: str = strawberry.field(description=TEXT)
    audience: BranchAudience = strawberry.field(description=AUDIENCE)
    cover_id: strawberry.ID | None = strawberry.field(default=None, description=COVER)


@strawberry.input(description="What an affair shall say, all of it.")
class EditPartyAffairInput:
    affair_id: strawberry.ID = strawberry.field(description="The affair.")
    version: int = strawberry.field(description=VERSION)
    category: AffairCategory = strawberry.field(description="What it is about.")
    title: str = strawberry.field(description=TITLE)
    body: str = strawberry.field(description=TEXT)
    audience: BranchAudience = strawberry.field(description=AUDIENCE)
    cover_id: strawberry.ID | None = strawberry.field(default=None, description=COVER)
    comments_from: datetime | None = strawberry.field(default=None, description=FROM)
    comments_until: datetime | None = strawberry.field(
        default=None, description=f"{UNTIL} Stays as it is once that is over."
    )


@strawberry.input(description="What to publish, and when.")
class PublishPartyArticleInput:
    article_id: strawberry.ID = strawberry.field(description="The news or the affair.")
    version: int = strawberry.field(description=VERSION)
    publish_at: datetime | None = strawberry.field(
        default=None, description="When it shall appear, within a year; left out, at once."
    )


@strawberry.input(description="What to withdraw, and why.")
class WithdrawPartyArticleInput:
    article_id: strawberry.ID = strawberry.field(description="The news or the affair.")
    version: int = strawberry.field(description=VERSION)
    reason: str = strawberry.field(description="For the audit log, 4 to 300 characters.")


@payload("The news was begun or changed.")
class PartyNewsPayload:
    news: ArticleRow = shown(PartyNews, "As it is now.")


@payload("The affair was begun or changed.")
class PartyAffairPayload:
    affair: ArticleRow = shown(PartyAffair, "As it is now.")


@payload("The news or the affair was published, planned or withdrawn.")
class PartyArticlePayload:
    article: ArticleRow = shown(PartyArticle, "As it is now.")


PROBLEMS = (InvalidInput, NotFound, NotAllowed, Conflict)
PartyNewsResult = Result(
    "PartyNewsResult", PartyNewsPayload, *PROBLEMS, description="What came of writing news."
)
PartyAffairResult = Result(
    "PartyAffairResult", PartyAffairPayload, *PROBLEMS, description="What came of writing an affair."
)
PartyArticleResult = Result(
    "PartyArticleResult",
    PartyArticlePayload,
    *PROBLEMS,
    description="What came of publishing or withdrawing.",
)

Written = CreatePartyNewsInput | EditPartyNewsInput | CreatePartyAffairInput | EditPartyAffairInput


def draft_of(input: Written) -> ArticleDraft:
    draft = ArticleDraft(
        title=input.title,
        body=input.body,
        audience=input.audience,
        cover_id=key_of("coverId", input.cover_id, "Picture") if input.cover_id else None,
    )
    if isinstance(input, CreatePartyAffairInput | EditPartyAffairInput):
        return replace(
            draft,
            category=input.category,
            comments_from=input.comments_from,
            comments_until=input.comments_until,
        )
    return draft


async def of_kind(ctx: Context, article_id: UUID, kind: ArticleKind) -> ArticleRow:
    """The article, if it is what its id says. Raises NotFound."""
    row = await articles.visible(ctx, article_id)
    if row.kind is not kind:
        raise Missing
    return row


@strawberry.type
class PartyArticlesMutation:
    @PartyNewsResult.mutation()
    async def create_party_news(self, info: Info, input: CreatePartyNewsInput) -> PartyNewsPayload:
        """Begin news of a party branch; its office sees them until they are published. For officers
        of the branch.
        """
        row = await articles.create(
            info.context,
            branch_id=key_of("branchId", input.branch_id, "Organisation"),
            kind=ArticleKind.NEWS,
            draft=draft_of(input),
            key=input.idempotency_key,
        )
        return PartyNewsPayload(news=row)

    @PartyAffairResult.mutation()
    async def create_party_affair(self, info: Info, input: CreatePartyAffairInput) -> PartyAffairPayload:
        """Begin an open affair of a party branch; its office sees it until it is published. For
        officers of the branch.
        """
        row = await articles.create(
            info.context,
            branch_id=key_of("branchId", input.branch_id, "Organisation"),
            kind=ArticleKind.AFFAIR,
            draft=draft_of(input),
            key=input.idempotency_key,
        )
        return PartyAffairPayload(affair=row)

    @PartyNewsResult.mutation()
    async def edit_party_news(self, info: Info, input: EditPartyNewsInput) -> PartyNewsPayload:
        """Have news say something else; what they said while they were out goes into their history.
        For officers of the branch.
        """
        draft = draft_of(input)
        found = await of_kind(info.context, key_of("newsId", input.news_id, "PartyNews"), ArticleKind.NEWS)
        row = await articles.edit(info.context, article_id=found.id, version=input.version, draft=draft)
        return PartyNewsPayload(news=row)

    @PartyAffairResult.mutation()
    async def edit_party_affair(self, info: Info, input: EditPartyAffairInput) -> PartyAffairPayload:
        """Have an affair say something else; what it said while it was out goes into its history.
        For officers of the branch.
        """
        draft = draft_of(input)
        found = await of_kind(
            info.context, key_of("affairId", input.affair_id, "PartyAffair"), ArticleKind.AFFAIR
        )
        row = await articles.edit(info.context, article_id=found.id, version=input.version, draft=draft)
        return PartyAffairPayload(affair=row)

    @PartyArticleResult.mutation()
    async def publish_party_article(self, info: Info, input: PublishPartyArticleInput) -> PartyArticlePayload:
        """Publish news or an affair, at once or at a time; a planned one may be given another time.
        It also becomes a card in the feed of its audience. For officers of the branch.
        """
        row = await publishing.publish(
            info.context,
            article_id=key_of("articleId", input.article_id, "PartyNews", "PartyAffair"),
            version=input.version,
            at=input.publish_at,
        )
        return PartyArticlePayload(article=row)

    @PartyArticleResult.mutation()
    async def withdraw_party_article(
        self, info: Info, input: WithdrawPartyArticleInput
    ) -> PartyArticlePayload:
        """Withdraw news or an affair for good, with its card, the comments below that, and its
        pictures; the office keeps the text. For officers of the branch.
        """
        row = await publishing.withdraw(
            info.context,
            article_id=key_of("articleId", input.article_id, "PartyNews", "PartyAffair"),
            version=input.version,
            reason=input.reason,
        )
        return PartyArticlePayload(article=row)
