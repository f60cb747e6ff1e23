"""Posts: who may write, what is kept, and what is told of it."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest

from models.audit import AuditRow
from models.base import new_id
from models.identity import AccountRow, ApplicationRow, CommunityRow, EstateRow, ResidencyRow
from models.posts import PostAudience, PostKind, PostRow, PostState, RevisionRow
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from models.visibility import public_of
from resolvers import posts
from resolvers.context import Context
from resolvers.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from resolvers.masking import mask
from resolvers.posts import FeedCriteria
from subscriptions.events import Kind, community_topic
from tests.world import World


@dataclass
class Place:
    """A community with an author, her neighbour, and the committee's officer."""

    world: World
    community: CommunityRow
    estate: EstateRow
    author: AccountRow
    neighbour: AccountRow
    officer: AccountRow

    async def post(self, body: str = "捡到驾照一本", kind: PostKind = PostKind.FOUND) -> PostRow:
        ctx = await self.world.context(self.author)
        return await posts.create_post(
            ctx, community_id=self.community.id, kind=kind, body=body, key=str(new_id())
        )

    async def kinds(self) -> list[Kind]:
        return [it.event.kind for it in await self.world.events(community_topic(self.community.id))]


@pytest.fixture
async def place(world: World) -> Place:
    community = await world.community()
    estate = await world.estate(community)
    building = await world.building(estate)
    committee = await world.organisation(community)
    return Place(
        world,
        community,
        estate,
        await world.resident(await world.home(building)),
        await world.resident(await world.home(building)),
        await world.officer(committee),
    )


async def feed(ctx: Context, community: CommunityRow, wanted: FeedCriteria = FeedCriteria()) -> list[UUID]:  # noqa: B008
    (page,) = await posts.feeds_of(ctx, [community], wanted, PageArgs(first=100))
    return [row.id for row in page.items]


async def test_a_post_is_kept_and_told(place: Place) -> None:
    row = await place.post("  捡到驾照\n请来领取 ")
    assert row.body == "捡到驾照\n请来领取"
    assert (row.kind, row.state, row.version) == (PostKind.FOUND, PostState.OPEN, 1)
    assert row.estate_id == place.estate.id
    assert row.hot == int(row.created_at.timestamp())
    (logged,) = await place.world.events(community_topic(place.community.id))
    event = logged.event
    assert (event.kind, event.subject, event.thread) == (Kind.POST_CREATED, row.id, row.id)
    assert event.audience == {place.community.id}
    assert event.facts == {
        "kind": "FOUND",
        "estate": str(place.estate.id),
        "author": str(place.author.id),
        "wall": str(place.community.id),
    }
    assert await feed(await place.world.context(place.neighbour), place.community) == [row.id]


async def test_the_estate_is_the_authors_unless_said(place: Place) -> None:
    ctx = await place.world.context(place.author)
    other = await place.world.estate(place.community)
    foreign = await place.world.estate(await place.world.community())

    async def made(estate: UUID | None) -> PostRow:
        return await posts.create_post(
            ctx,
            community_id=place.community.id,
            kind=PostKind.TALK,
            body="好",
            key=str(new_id()),
            estate_id=estate,
        )

    assert (await made(other.id)).estate_id == other.id
    assert (await made(None)).estate_id is None
    with pytest.raises(InvalidInput) as refused:
        await made(foreign.id)
    assert list(refused.value.fields) == ["estateId"]
    assert await PostRow.all().count() == 2


async def test_only_members_write(place: Place) -> None:
    world = place.world
    applicant = await world.account()
    home = await world.home(await world.building(place.estate))
    await ApplicationRow.create(
        community_id=place.community.id, account_id=applicant.id, home_id=home.id, relation="OWNER"
    )
    stranger = await world.neighbour(await world.community())
    for account, refusal in ((applicant, NotAllowed), (stranger, NotFound), (None, Unauthenticated)):
        with pytest.raises(refusal):
            await posts.create_post(
                await world.context(account),
                community_id=place.community.id,
                kind=PostKind.TALK,
                body="好",
                key="k",
            )
    assert await PostRow.all().count() == 0
    assert await place.kinds() == []


async def test_who_sees_a_post(place: Place) -> None:
    world = place.world
    row = await place.post()
    ctx = await world.context(place.author)
    public = await posts.create_post(
        ctx,
        community_id=place.community.id,
        kind=PostKind.TALK,
        body="大家好",
        key="public",
        audience=PostAudience.PUBLIC,
    )
    assert public.scope_id == public_of(place.community.id)
    applicant = await world.account()
    home = await world.home(await world.building(place.estate))
    await ApplicationRow.create(
        community_id=place.community.id, account_id=applicant.id, home_id=home.id, relation="OWNER"
    )
    stranger = await world.neighbour(await world.community())
    for account, seen in (
        (place.neighbour, [public.id, row.id]),
        (place.officer, [public.id, row.id]),
        (applicant, [public.id]),
        (stranger, []),
        (None, []),
    ):
        viewing = await world.context(account)
        assert await feed(viewing, place.community) == seen
        found = await posts.visible_by_ids(viewing, [row.id, public.id, new_id()])
        assert [it.id for it in found if it] == [key for key in (row.id, public.id) if key in seen]


async def test_moving_out_ends_it(place: Place) -> None:
    row = await place.post()
    await ResidencyRow.filter(account_id=place.author.id).update(until=row.created_at)
    ctx = await place.world.context(place.author)
    with pytest.raises(NotFound):
        await posts.edit_post(ctx, post_id=row.id, body="改", version=1)
    with pytest.raises(NotAllowed):
        await posts.create_post(ctx, community_id=place.community.id, kind=PostKind.TALK, body="好", key="k")
    assert (await PostRow.get(id=row.id)).body == row.body
    assert await PostRow.all().count() == 1


async def test_a_repeated_call_makes_one_post(place: Place) -> None:
    async def send(body: str) -> PostRow:
        ctx = await place.world.context(place.author)
        return await posts.create_post(
            ctx, community_id=place.community.id, kind=PostKind.TALK, body=body, key="same"
        )

    first, second = await asyncio.gather(send("好"), send("好"))
    assert first == second
    assert await PostRow.all().count() == 1
    assert await place.kinds() == [Kind.POST_CREATED]
    with pytest.raises(Conflict):
        await send("另一条")
    assert await PostRow.all().count() == 1


@pytest.mark.parametrize("body", ["", "  \n", "长" * 5001, "a\x00b"])
async def test_texts_that_are_none(place: Place, body: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await place.post(body)
    assert list(refused.value.fields) == ["body"]
    assert await PostRow.all().count() == 0


async def test_an_edit_keeps_what_was_said(place: Place) -> None:
    row = await place.post("一")
    ctx = await place.world.context(place.author)
    edited = await posts.edit_post(ctx, post_id=row.id, body="二", version=1)
    assert (edited.body, edited.version) == ("二", 2)
    assert edited.edited_at is not None
    # Sent again after a time-out it is no conflict with itself.
    assert await posts.edit_post(ctx, post_id=row.id, body="二", version=1) == edited
    with pytest.raises(Conflict) as stale:
        await posts.edit_post(ctx, post_id=row.id, body="三", version=1)
    assert stale.value.current == row.id
    assert [it.body for it in await RevisionRow.all()] == ["一"]
    assert await place.kinds() == [Kind.POST_CREATED, Kind.POST_CHANGED]
    for account, shown in ((place.author, ["一"]), (place.officer, ["一"]), (place.neighbour, [])):
        viewing = await place.world.context(account)
        (page,) = await posts.revisions_of(viewing, [edited], PageArgs(first=10))
        assert [it.body for it in page.items] == shown


async def test_of_two_edits_at_once_one_wins(place: Place) -> None:
    row = await place.post("一")

    async def edit(body: str) -> bool:
        try:
            await posts.edit_post(
                await place.world.context(place.author), post_id=row.id, body=body, version=1
            )
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*[edit(f"改{n}") for n in range(5)])) == 1
    assert await RevisionRow.all().count() == 1


async def test_nobody_else_edits_a_post(place: Place) -> None:
    row = await place.post()
    for account in (place.neighbour, place.officer):
        with pytest.raises(NotAllowed):
            await posts.edit_post(await place.world.context(account), post_id=row.id, body="改", version=1)
    assert (await PostRow.get(id=row.id)).body == row.body
    assert await RevisionRow.all().count() == 0


async def test_a_deleted_post_is_gone(place: Place) -> None:
    row = await place.post()
    with pytest.raises(NotAllowed):
        await posts.delete_post(await place.world.context(place.neighbour), post_id=row.id)
    assert await feed(await place.world.context(place.neighbour), place.community) == [row.id]
    await posts.delete_post(await place.world.context(place.author), post_id=row.id)
    for account in (place.author, place.neighbour, place.officer):
        ctx = await place.world.context(account)
        assert await feed(ctx, place.community) == []
        assert await posts.visible_by_ids(ctx, [row.id]) == [None]
        with pytest.raises(NotFound):
            await posts.delete_post(ctx, post_id=row.id)
    assert await place.kinds() == [Kind.POST_CREATED, Kind.POST_DELETED]
    events = await place.world.events(community_topic(place.community.id))
    assert await posts.posts_of_events(await place.world.context(), events) == [None, None]


async def test_moderators_delete_and_it_is_audited(place: Place) -> None:
    row = await place.post()
    company = await place.world.organisation(place.community, OrganisationKind.PROPERTY_COMPANY)
    manager = await place.world.officer(company, Role.ADMIN)
    with pytest.raises(NotAllowed):
        await posts.delete_post(await place.world.context(manager), post_id=row.id)
    await posts.delete_post(await place.world.context(place.officer), post_id=row.id)
    entries = await AuditRow.all().order_by("id")
    assert [(it.account_id, it.action, it.subject_id, it.refused) for it in entries] == [
        (manager.id, "post.delete", row.id, True),
        (place.officer.id, "post.delete", row.id, False),
    ]


async def test_a_settled_post_leaves_the_open_list(place: Place) -> None:
    row = await place.post()
    ctx = await place.world.context(place.author)
    with pytest.raises(NotAllowed):
        await posts.set_post_state(
            await place.world.context(place.neighbour), post_id=row.id, state=PostState.RESOLVED
        )
    assert (await posts.visible(ctx, row.id)).state is PostState.OPEN
    for _ in range(2):
        settled = await posts.set_post_state(ctx, post_id=row.id, state=PostState.RESOLVED)
        assert settled.state is PostState.RESOLVED
    assert await place.kinds() == [Kind.POST_CREATED, Kind.POST_CHANGED]
    assert await feed(ctx, place.community, FeedCriteria(states=frozenset({PostState.OPEN}))) == []
    assert await feed(ctx, place.community) == [row.id]
    again = await posts.set_post_state(ctx, post_id=row.id, state=PostState.OPEN)
    assert again.state is PostState.OPEN


async def test_the_committee_pins(place: Place) -> None:
    rows = [await place.post(f"第{n}") for n in range(3)]
    ctx = await place.world.context(place.officer)
    with pytest.raises(NotAllowed):
        await posts.set_post_pinned(await place.world.context(place.author), post_id=rows[0].id, pinned=True)
    assert await posts.pinned_of(ctx, [place.community]) == [[]]
    for row in (rows[2], rows[0], rows[0]):
        pinned = await posts.set_post_pinned(ctx, post_id=row.id, pinned=True)
        assert pinned.pinned_at is not None
    (found,) = await posts.pinned_of(ctx, [place.community])
    assert [it.id for it in found] == [rows[0].id, rows[2].id]
    await posts.set_post_pinned(ctx, post_id=rows[0].id, pinned=False)
    await posts.delete_post(ctx, post_id=rows[2].id)
    assert await posts.pinned_of(ctx, [place.community]) == [[]]
    actions = [it.action for it in await AuditRow.filter(refused=False).order_by("id")]
    assert actions == ["post.pin", "post.pin", "post.unpin", "post.delete"]
    assert await AuditRow.filter(refused=True, action="post.pin").count() == 1


async def test_too_many_posts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "POSTS_AN_HOUR", 2)
    await place.post("一")
    await place.post("二")
    with pytest.raises(RateLimited):
        await place.post("三")
    assert await PostRow.all().count() == 2


async def test_too_many_edits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "EDITS_A_MINUTE", 2)
    row = await place.post()
    ctx = await place.world.context(place.author)
    await posts.edit_post(ctx, post_id=row.id, body="一", version=1)
    await posts.set_post_state(ctx, post_id=row.id, state=PostState.RESOLVED)
    with pytest.raises(RateLimited):
        await posts.edit_post(ctx, post_id=row.id, body="二", version=2)
    with pytest.raises(RateLimited):
        await posts.set_post_state(ctx, post_id=row.id, state=PostState.OPEN)
    kept = await PostRow.get(id=row.id)
    assert (kept.body, kept.state, kept.version) == ("一", PostState.RESOLVED, 2)


async def test_numbers_are_masked_before_they_are_kept(place: Place) -> None:
    row = await place.post("驾照 310101199001011234，电话13812345678")
    assert row.body == "驾照 ****************34，电话13812345678"
    ctx = await place.world.context(place.author)
    edited = await posts.edit_post(ctx, post_id=row.id, body="卡号6222021234567890123", version=1)
    assert "6222" not in (await PostRow.get(id=row.id)).body
    assert edited.body.endswith("23")
    assert all("310101" not in it.body for it in await RevisionRow.all())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("证号31010119900101123X。", "证号****************3X。"),
        ("310101 19900101 1234", "******************34"),
        ("３１０１０１１９９００１０１１２３４", "****************３４"),
        ("老证310101900101123", "老证*************23"),
        ("卡 4111 1111 1111 1111", "卡 *****************11"),
        ("护照E12345678", "护照*******78"),
        ("档案编号：310012345678", "档案编号：**********78"),
        # People want to be called, and not every number is a document's.
        ("电话13812345678 13912345678", "电话13812345678 13912345678"),
        ("驾照 13812345678 联系", "驾照 13812345678 联系"),
        ("+8613812345678", "+8613812345678"),
        ("021-62345678", "021-62345678"),
        ("沪A12345", "沪A12345"),
        ("2021 2022 2023 2024", "2021 2022 2023 2024"),
        ("2026-11-22 2026-11-23", "2026-11-22 2026-11-23"),
        ("身份证的主人请来", "身份证的主人请来"),
    ],
)
def test_masking(text: str, kept: str) -> None:
    assert mask(text) == kept
    assert mask(kept) == kept
