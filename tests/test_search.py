"""Finding things by words: what is found, by whom, and what is found no more."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import new_id
from models.identity import AccountRow, ApplicationRow, BuildingRow, CommunityRow, Relation
from models.notices import AudienceKind, NoticeCategory, NoticeRow, Severity
from models.organisations import OrganisationRow
from models.posts import PostAudience, PostKind, PostRow
from models.search import SearchAudienceRow, SearchEntryRow, SearchKind, bigrams
from models.storage.paging import PageArgs
from resolvers import posts
from resolvers.deliberations import topics
from resolvers.deliberations.topics import Topic
from resolvers.errors import InvalidInput, NotAllowed
from resolvers.notices import publishing
from resolvers.notices.audiences import Place
from resolvers.notices.publishing import NoticeChange, NoticeDraft
from resolvers.search import finding
from tests.world import World, counted


@dataclass
class Street:
    world: World
    community: CommunityRow
    here: BuildingRow
    there: BuildingRow
    author: AccountRow
    neighbour: AccountRow
    committee: OrganisationRow
    officer: AccountRow

    async def post(self, body: str, audience: PostAudience = PostAudience.NEIGHBOURS) -> PostRow:
        return await posts.create_post(
            await self.world.context(self.author),
            community_id=self.community.id,
            kind=PostKind.TALK,
            body=body,
            audience=audience,
            key=str(new_id()),
        )

    async def notice(self, title: str, body: str, building: BuildingRow) -> NoticeRow:
        return await publishing.publish(
            await self.world.context(self.officer),
            organisation_id=self.committee.id,
            draft=NoticeDraft(
                category=NoticeCategory.OUTAGE, severity=Severity.INFORMATION, title=title, body=body
            ),
            audience=[Place(AudienceKind.BUILDING, building.id)],
            key=str(new_id()),
        )

    async def found(
        self, words: str, by: AccountRow | None = None, kinds: frozenset[SearchKind] | None = None
    ) -> list[object]:
        ctx = await self.world.context(by or self.neighbour)
        (page,) = await finding.found_in(ctx, [self.community], words, kinds, PageArgs(first=10))
        subjects = await finding.subjects_of(ctx, page.items)
        assert [row.id for row in page.items] == [subject.id for subject in subjects]
        return [row.id for row in page.items]


@pytest.fixture
async def street(world: World) -> Street:
    community = await world.community()
    estate = await world.estate(community)
    here, there = await world.building(estate), await world.building(estate)
    committee = await world.organisation(community)
    return Street(
        world,
        community,
        here,
        there,
        await world.resident(await world.home(here)),
        await world.resident(await world.home(there)),
        committee,
        await world.officer(committee),
    )


async def test_two_characters_are_found_wherever_they_stand(street: Street) -> None:
    water = await street.post("三号楼明天停水,请提前蓄水。")
    power = await street.post("今晚停电吗?电梯停了")
    assert await street.found("停水") == [water.id]
    assert await street.found("停电") == [power.id]
    assert await street.found("楼明 蓄水") == [water.id]
    assert await street.found("停水 停电") == []
    assert await street.found("水停") == []


@pytest.mark.parametrize("words", ["WiFi 密码", "WIFI密码", "wifi密码"])
async def test_width_and_case_do_not_count(street: Street, words: str) -> None:
    row = await street.post("谁知道活动室的wiFi密码?")
    assert await street.found(words) == [row.id]


async def test_the_newest_come_first_page_by_page(street: Street) -> None:
    rows = [await street.post(f"第{n}次停水了") for n in range(5)]
    ctx = await street.world.context(street.neighbour)
    seen: list[object] = []
    args = PageArgs(first=2)
    while True:
        (page,) = await finding.found_in(ctx, [street.community], "停水", None, args)
        seen += [row.id for row in page.items]
        if not page.has_next_page:
            break
        args = PageArgs(first=2, after=page.cursors[-1])
    assert seen == [row.id for row in reversed(rows)]


async def test_an_edited_post_is_found_by_what_it_says_now(street: Street) -> None:
    row = await street.post("捡到一只黑猫")
    ctx = await street.world.context(street.author)
    await posts.edit_post(ctx, post_id=row.id, body="捡到一只白猫", version=row.version)
    assert await street.found("黑猫") == []
    assert await street.found("白猫") == [row.id]


async def test_a_deleted_post_leaves_nothing_behind(street: Street) -> None:
    row = await street.post("卖一张旧书桌")
    with pytest.raises(NotAllowed):
        await posts.delete_post(await street.world.context(street.neighbour), post_id=row.id)
    assert await street.found("书桌") == [row.id]
    await posts.delete_post(await street.world.context(street.author), post_id=row.id)
    assert await street.found("书桌") == []
    assert not await SearchEntryRow.exists()
    assert not await SearchAudienceRow.exists()


async def test_masked_numbers_are_not_kept(street: Street) -> None:
    await street.post("捡到身份证 11010519491231002X")
    (entry,) = await SearchEntryRow.all()
    assert "49" not in entry.bigrams.split()


async def test_only_who_may_see_a_thing_finds_it(street: Street) -> None:
    world = street.world
    await street.post("停水了")
    shown = await street.post("停水公告牌在门口", PostAudience.PUBLIC)
    told = await street.notice("停水通知", "二十二点起", street.there)
    other = await world.neighbour(await world.community())
    nobody = await world.account()
    assert await street.found("停水", by=other) == []
    assert await street.found("停水", by=nobody) == []
    assert len(await street.found("停水", by=street.author)) == 2
    assert (await street.found("停水", by=street.neighbour))[0] == told.id
    assert (await street.found("停水", by=street.officer))[0] == told.id
    home = await world.home(street.here)
    await ApplicationRow.create(
        community_id=street.community.id, account_id=nobody.id, home_id=home.id, relation=Relation.TENANT
    )
    assert await street.found("停水", by=nobody) == [shown.id]


async def test_of_superseded_notices_the_latest_is_found(street: Street) -> None:
    first = await street.notice("停电通知", "九点到十七点", street.there)
    ctx = await street.world.context(street.officer)
    update = await publishing.update(
        ctx, notice_id=first.id, version=first.version, change=NoticeChange(body="延长到十九点"), key="u"
    )
    assert await street.found("停电通知") == [update.id]
    assert await street.found("十七") == []


async def test_a_proposal_is_found_by_its_author_and_the_office_until_it_is_accepted(street: Street) -> None:
    world = street.world
    row = await topics.propose(
        await world.context(street.author),
        organisation_id=street.committee.id,
        topic=Topic("加装电梯", "一楼也要同意"),
        key="p",
    )
    for account, found in ((street.author, [row.id]), (street.officer, [row.id]), (street.neighbour, [])):
        assert await street.found("装电梯", by=account) == found
    opened = await topics.accept(
        await world.context(street.officer), deliberation_id=row.id, version=row.version
    )
    assert await street.found("装电梯") == [row.id]
    await topics.edit(
        await world.context(street.officer),
        deliberation_id=row.id,
        version=opened.version,
        title="加装扶梯",
        body="一楼也要同意",
    )
    assert await street.found("装电梯") == []
    assert await street.found("扶梯") == [row.id]


async def test_kinds_narrow_the_search(street: Street) -> None:
    post = await street.post("停水了吗")
    notice = await street.notice("停水通知", "今晚", street.there)
    assert await street.found("停水") == [notice.id, post.id]
    assert await street.found("停水", kinds=frozenset({SearchKind.POST})) == [post.id]
    assert await street.found("停水", kinds=frozenset({SearchKind.NOTICE})) == [notice.id]
    assert await street.found("停水", kinds=frozenset()) == []


@pytest.mark.parametrize("words", ["", "水", "a b c", "!? 。", "x" * 101, "停\0水"])
async def test_what_is_nothing_to_look_for_is_refused(street: Street, words: str) -> None:
    await street.post("停水了")
    with pytest.raises(InvalidInput) as refused:
        await street.found(words)
    assert "words" in refused.value.fields


@pytest.mark.parametrize("words", ['停水" OR "停电', "停水 NOT 停电", "停水*", "bigrams:停水", "停水') --"])
async def test_nothing_in_the_words_is_an_operator(street: Street, words: str) -> None:
    await street.post("停电了")
    row = await street.post("停水了 or 停电了 not bigrams")
    assert await street.found(words) == [row.id]


async def test_a_search_takes_one_statement_for_the_page(street: Street) -> None:
    await street.post("停水一次")
    ctx = await street.world.context(street.neighbour)
    for number in (1, 20):
        for _ in range(number):
            await street.post("又停水了")
        async with counted() as queries:
            await finding.found_in(ctx, [street.community], "停水", None, PageArgs(first=100))
        assert queries.count == 1


@given(st.text(st.characters(max_codepoint=127)), st.integers(0, 20), st.integers(2, 20))
def test_a_part_of_a_text_is_found_in_the_text(text: str, at: int, length: int) -> None:
    assert set(bigrams(text[at : at + length])) <= set(bigrams(text))
