"""A community of the size that is measured, in Linli's own tables."""

import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise.transactions import in_transaction

from models import database
from models.base import new_id, now
from models.identity import AccountRow, HomeRow, Relation, ResidencyRow, SessionRow
from models.posts import CommentRow, LikeRow, PostKind, PostRow, PostState, SubjectKind
from models.privacy import Keys
from models.storage.rows import dialect, execute
from models.storage.tables import insert_all
from resolvers.tokens import Tokens
from schema.node import global_id
from tests.world import World

if TYPE_CHECKING:
    pass

BATCH = 500
# Of a post that is discussed at length: first comments, every third of them answered, and each liked.
HEADS = 60
ANSWERS = 3
LIKES = 2
TEXT = "小区里捡到一串钥匙，请失主到门卫室认领。今天下午停水两小时，请大家提前准备。" * 2


@dataclass(frozen=True, slots=True)
class Town:
    """What the clients need to know of it."""

    community_id: UUID
    # Tokens of residents, each of another account.
    tokens: list[str]
    posts: list[UUID]
    # Those discussed at length.
    threads: list[UUID]

    @property
    def community(self) -> str:
        return global_id("Community", self.community_id)


async def build(
    url: str,
    secrets_: dict[str, str],
    *,
    residents: int = 500,
    posts: int = 10_000,
    comments: int = 100_000,
    threads: int = 0,
) -> Town:
    """Migrate the database at `url` and fill it: posts by residents, comments below them, likes of both.

    The first `threads` of the posts are discussed at length.
    """
    await database.migrate(url)
    keys = Keys.from_text(secrets_["LINLI_KEYS"], secrets_["LINLI_INDEX_KEY"])
    tokens = Tokens(secrets_["LINLI_TOKEN_KEY"], timedelta(hours=6))
    chance = random.Random(7)
    async with database.database(url):
        async with in_transaction():
            world = World()
            community = await world.community("屯乐苑")
            buildings = [await world.building(await world.estate(community)) for _ in range(10)]
            accounts = [account(keys, number) for number in range(residents)]
            homes = [
                HomeRow(
                    id=new_id(),
                    community_id=community.id,
                    building_id=buildings[number % 10].id,
                    unit="1",
                    number=f"{number}",
                    area_cm2=900_000,
                )
                for number in range(residents)
            ]
            sessions = [session(one) for one in accounts]
            for start in range(0, residents, BATCH):
                part = slice(start, start + BATCH)
                await AccountRow.bulk_create(accounts[part])
                await HomeRow.bulk_create(homes[part])
                await SessionRow.bulk_create(sessions[part])
                await ResidencyRow.bulk_create(
                    ResidencyRow(
                        community_id=community.id, account_id=one.id, home_id=home.id, relation=Relation.OWNER
                    )
                    for one, home in zip(accounts[part], homes[part], strict=True)
                )
            people = [one.id for one in accounts]
            per_post = comments // posts
            written = [post(community.id, chance.choice(people), per_post, n) for n in range(posts)]
            discussed, others = written[:threads], written[threads:]
            said = [one for below in discussed for one in thread(below, people, chance)]
            await insert_all(written)
            await insert_all(said)
            below = (comment(chance.choice(others), chance.choice(people)) for _ in range(comments))
            await insert_all(list(below))
            likes = {(SubjectKind.POST, one.id, chance.choice(people)) for one in written for _ in range(3)}
            likes |= {
                (SubjectKind.COMMENT, one.id, account_id)
                for one in said
                for account_id in chance.sample(people, one.like_count)
            }
            await insert_all(
                [
                    LikeRow(subject_kind=kind, subject_id=subject_id, account_id=account_id)
                    for kind, subject_id, account_id in likes
                ]
            )
        if dialect() == "postgres":
            # Which autovacuum does; SQLite is served without statistics.
            await execute("VACUUM ANALYZE")
    return Town(
        community.id,
        [tokens.access_token(one.id, held.id) for one, held in zip(accounts, sessions, strict=True)],
        [one.id for one in written],
        [one.id for one in discussed],
    )


def account(keys: Keys, number: int) -> AccountRow:
    phone = f"+86139{number:08d}"
    return AccountRow(
        id=new_id(),
        phone_index=keys.index("phone", phone),
        phone_sealed=keys.seal("phone", phone),
        display_name=f"邻居{number}",
    )


def session(account: AccountRow) -> SessionRow:
    return SessionRow(
        id=new_id(),
        account_id=account.id,
        device="bench",
        refresh_digest=secrets.token_hex(32),
        expires_at=now() + timedelta(days=1),
    )


def post(community_id: UUID, author_id: UUID, comments: int, number: int) -> PostRow:
    return PostRow(
        id=new_id(),
        community_id=community_id,
        scope_id=community_id,
        author_id=author_id,
        estate_id=None,
        kind=PostKind.TALK,
        state=PostState.OPEN,
        body=f"{number} {TEXT}",
        comment_count=comments,
        like_count=3,
        hot=number,
        pinned_at=None,
        created_at=now(),
        edited_at=None,
        deleted_at=None,
        version=1,
        wall_id=community_id,
        card_id=None,
    )


def thread(below: PostRow, people: Sequence[UUID], chance: random.Random) -> Iterator[CommentRow]:
    """A long discussion; the post's count is made to be its length."""
    below.comment_count = 0
    for place in range(HEADS):
        head = comment(below, chance.choice(people))
        answers = [comment(below, chance.choice(people), head) for _ in range(0 if place % 3 else ANSWERS)]
        head.reply_count = len(answers)
        below.comment_count += 1 + len(answers)
        for one in (head, *answers):
            one.like_count = LIKES
            yield one


def comment(below: PostRow, author_id: UUID, head: CommentRow | None = None) -> CommentRow:
    return CommentRow(
        id=new_id(),
        community_id=below.community_id,
        subject_kind=SubjectKind.POST,
        subject_id=below.id,
        author_id=author_id,
        reply_to_id=head.id if head else None,
        parent_id=head.id if head else below.id,
        body=TEXT,
        like_count=0,
        reply_count=0,
        created_at=now(),
        edited_at=None,
        deleted_at=None,
    )
