"""The owners' vote: put, announced, opened, cast, counted; and everything that is refused."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.audit import AuditRow
from models.base import new_id, now
from models.identity import AccountRow, HomeRow, HouseholdEntryRow, Relation, ResidencyRow
from models.jobs import JobRow
from models.motions import (
    BoxEntryRow,
    Channel,
    Choice,
    ElectorKind,
    ElectorRow,
    ElectorVoterRow,
    ItemClass,
    MotionPhase,
    MotionRow,
    MotionStatus,
    PaperRow,
    PaperStatus,
    ProxyRow,
    ProxyStatus,
    RulesRow,
    ScopeKind,
    SecretChoiceRow,
    Standing,
    Via,
)
from models.notices import NoticeRow
from models.notifications import NotificationKind, NotificationRow
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from resolvers.errors import Conflict, InvalidInput, NotAllowed, NotFound
from resolvers.existing import existing
from resolvers.motions import (
    ballots,
    export,
    paper,
    proxies,
    putting,
    reading,
    receipts,
    rules,
    simulator,
)
from resolvers.motions.ballot_box import digest
from resolvers.motions.rules import STATUTORY
from resolvers.motions.tally import Threshold
from subscriptions.events import Kind, community_topic
from tests.clock import Clock
from tests.voting import ABSTAIN, M2, NO, SURVEY, YES, Street, Vote
from tests.voting import clock as clock
from tests.world import World, counted

FINAL = replace(SURVEY, changes_allowed=False)


@pytest.fixture
async def street(world: World, clock: Clock) -> Street:
    return await Street.built(world, clock)


async def kinds(street: Street) -> list[Kind]:
    events = await street.world.events(community_topic(street.community.id))
    return [
        logged.event.kind for logged in events if logged.event.thread and "NOTICE" not in logged.event.kind
    ]


# Rules


async def test_rules_are_versions_that_a_motion_pins(street: Street) -> None:
    await street.owner(80)
    vote = await street.announced()
    pinned = (await vote.row()).rules_id
    await street.adopt(replace(SURVEY, name="新规则"))
    assert (await vote.row()).rules_id == pinned
    other = await street.announced(under=FINAL)
    assert (await existing(RulesRow, (await other.row()).rules_id)).version == 3
    with pytest.raises(Conflict):
        await rules.adopt(
            await street.officer(), organisation_id=street.committee.id, base_version=1, wanted=SURVEY
        )


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (replace(STATUTORY, notice_hours=359), "noticeHours"),
        (replace(STATUTORY, quorum=Threshold(1, 2, False, "规约")), "quorum"),
        (replace(STATUTORY, ordinary=Threshold(1, 2, False, "规约")), "ordinary"),
        (replace(STATUTORY, special=Threshold(2, 3, True, "规约")), "special"),
        (replace(SURVEY, quorum=Threshold(3, 2, False, "规约")), "quorum"),
        (replace(SURVEY, quorum=Threshold(1, 1, True, "规约")), "quorum"),
        (replace(SURVEY, most_extensions=1), "extensionHours"),
        (replace(SURVEY, most_extensions=11, extension_hours=1), "mostExtensions"),
    ],
)
async def test_no_binding_rules_below_the_law(street: Street, wanted: rules.RulesDraft, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await street.adopt(wanted)
    assert set(refused.value.fields) == {field}
    assert await rules.newest_of(street.community.id) is None


async def test_stricter_rules_may_bind(street: Street) -> None:
    await street.adopt(replace(STATUTORY, special=Threshold(4, 5, False, "议事规则第九条")))
    newest = await rules.newest_of(street.community.id)
    assert newest is not None
    assert newest.special["clause"] == "议事规则第九条"


async def test_the_laws_rules_are_version_one(street: Street) -> None:
    ctx = await street.officer()
    draft = street.draft(now=now() + timedelta(days=20))
    row = await putting.create(ctx, organisation_id=street.committee.id, draft=draft, key="1")
    under = await existing(RulesRow, row.rules_id)
    assert (under.version, under.binding, under.notice_hours) == (1, True, 360)
    assert under.quorum == {
        "numerator": 2,
        "denominator": 3,
        "strict": False,
        "clause": "民法典第二百七十八条第二款第一句",
    }


# Putting a motion


async def test_only_the_owners_committee_puts_motions(street: Street) -> None:
    """And the residents' committee where none sits; refused attempts are kept."""
    world = street.world
    residents = await world.organisation(street.community)
    property_company = await world.organisation(street.community, OrganisationKind.PROPERTY_COMPANY)
    for organisation in (residents, property_company):
        officer = await world.context(await world.officer(organisation, Role.ADMIN))
        with pytest.raises(NotAllowed):
            await putting.create(
                officer, organisation_id=organisation.id, draft=street.draft(now=now()), key="1"
            )
    assert await MotionRow.all().count() == 0
    assert await AuditRow.filter(action="createMotion", refused=True).count() == 2

    # Elsewhere nobody sits in an owners' committee.
    community = await world.community()
    committee = await world.organisation(community)
    await world.organisation(community, OrganisationKind.OWNERS_COMMITTEE)
    officer = await world.context(await world.officer(committee))
    draft = replace(street.draft(now=now()), scope_kind=ScopeKind.COMMUNITY, scope_ids=())
    row = await putting.create(officer, organisation_id=committee.id, draft=draft, key="1")
    assert row.status is MotionStatus.DRAFT


async def test_a_draft_is_its_organisations_alone(street: Street) -> None:
    owner = await street.owner(80)
    ctx = await street.officer()
    draft = street.draft(now=now())
    row = await putting.create(ctx, organisation_id=street.committee.id, draft=draft, key="1")
    again = await putting.create(ctx, organisation_id=street.committee.id, draft=draft, key="1")
    assert again.id == row.id
    with pytest.raises(NotFound):
        await reading.visible(await street.ctx(owner), row.id)
    stranger = await street.world.neighbour(await street.world.community())
    with pytest.raises(NotFound):
        await reading.visible(await street.ctx(stranger), row.id)
    await putting.withdraw(ctx, motion_id=row.id, version=1, reason="写错了")
    with pytest.raises(NotFound):
        await reading.visible(await street.ctx(owner), row.id)


async def test_two_officers_who_edit_a_draft_collide(street: Street) -> None:
    await street.owner(80)
    await street.adopt(SURVEY)
    first, second = await street.officer(0), await street.officer(1)
    draft = street.draft(now=now())
    row = await putting.create(first, organisation_id=street.committee.id, draft=draft, key="1")
    mine = replace(
        draft, title="第一稿", items=(putting.ItemDraft(item_class=ItemClass.REBUILDING, title="加装电梯"),)
    )
    changed = await putting.update(first, motion_id=row.id, version=row.version, draft=mine)
    with pytest.raises(Conflict) as collided:
        await putting.update(
            second, motion_id=row.id, version=row.version, draft=replace(draft, title="第二稿")
        )
    assert collided.value.current == row.id
    assert (await reading.motion(row.id)).title == "第一稿"
    (items,) = await reading.items([row.id])
    assert [item.title for item in items] == ["加装电梯"]
    with pytest.raises(Conflict):
        await putting.announce(second, motion_id=row.id, version=row.version)
    assert changed.version == row.version + 1
    assert await AuditRow.filter(action="updateMotion", refused=False).count() == 1


async def test_what_a_draft_may_hold(street: Street) -> None:
    ctx = await street.officer()
    good = street.draft(now=now())
    elsewhere = await street.world.estate(await street.world.community())
    for bad, field in (
        (replace(good, title=" "), "title"),
        (replace(good, items=()), "items"),
        (replace(good, items=good.items * 21), "items"),
        (replace(good, closes_at=good.opens_at), "closesAt"),
        (replace(good, scope_ids=(elsewhere.id,)), "scopeIds"),
        (replace(good, scope_ids=()), "scopeIds"),
        (replace(good, scope_kind=ScopeKind.COMMUNITY), "scopeIds"),
        (replace(good, scope_kind=ScopeKind.BUILDINGS), "scopeIds"),
        (replace(good, opens_at=good.opens_at.replace(tzinfo=None)), "opensAt"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await putting.create(ctx, organisation_id=street.committee.id, draft=bad, key="1")
        assert set(refused.value.fields) == {field}
    assert await MotionRow.all().count() == 0


async def test_the_announcement_tells_every_home_and_keeps_the_notice_period(
    street: Street, clock: Clock
) -> None:
    owner = await street.owner(80)
    ctx = await street.officer()
    await street.adopt(STATUTORY)
    early = street.draft(now=now() + timedelta(days=14))
    row = await putting.create(ctx, organisation_id=street.committee.id, draft=early, key="1")
    with pytest.raises(InvalidInput):
        await putting.announce(ctx, motion_id=row.id, version=row.version)
    assert await NoticeRow.all().count() == 0
    late = street.draft(now=now() + timedelta(days=15, minutes=5))
    row = await putting.update(ctx, motion_id=row.id, version=row.version, draft=late)
    await putting.announce(ctx, motion_id=row.id, version=row.version)
    (notice,) = await NoticeRow.all()
    assert "具有法律约束力" in notice.body
    assert await NotificationRow.filter(account_id=owner.id, kind=NotificationKind.NOTICE).count() == 1
    assert await kinds(street) == [Kind.MOTION_ANNOUNCED]
    with pytest.raises(Conflict):
        await putting.update(ctx, motion_id=row.id, version=row.version + 1, draft=late)
    # Nobody votes before the hour, and everybody after it.
    items = [item.id for item in (await reading.items([row.id]))[0]]
    vote = Vote(street, row.id, items)
    with pytest.raises(NotAllowed):
        await vote.cast(owner, YES)
    clock.forward(days=15, minutes=6)
    assert reading.phase(await vote.row()) is MotionPhase.OPEN
    await vote.cast(owner, YES)
    result = await vote.closed()
    assert result["binding"] is True


async def test_a_motion_is_withdrawn_before_it_opens_and_never_after(street: Street, clock: Clock) -> None:
    owner = await street.owner(80)
    ctx = await street.officer()
    vote = await street.announced(opens_at=now() + timedelta(hours=1), closes_at=now() + timedelta(hours=2))
    row = await vote.row()
    with pytest.raises(Conflict):
        await putting.withdraw(ctx, motion_id=row.id, version=row.version - 1, reason="改期")
    withdrawn = await putting.withdraw(ctx, motion_id=row.id, version=row.version, reason="改期")
    assert (withdrawn.status, withdrawn.withdraw_reason) == (MotionStatus.WITHDRAWN, "改期")
    assert await JobRow.filter(subject_id=row.id).count() == 0
    assert await NoticeRow.all().count() == 2
    clock.forward(hours=1, minutes=1)
    with pytest.raises(NotAllowed):
        await vote.cast(owner, YES)
    other = await street.opened()
    row = await other.row()
    with pytest.raises(NotAllowed):
        await putting.withdraw(ctx, motion_id=row.id, version=row.version, reason="改期")


# The electorate


async def test_the_electorate_is_frozen_as_it_stood_at_the_hour(street: Street, clock: Clock) -> None:
    """However late the opening runs: who bought between the hour and the run does not vote."""
    seller, buyer = await street.owner(80), await street.world.account()
    couple = await street.world.account(), await street.world.account()
    shared = await street.home(100)
    for one, relation in zip(couple, (Relation.OWNER, Relation.CO_OWNER), strict=True):
        await street.own(one, shared, relation)
    investor = await street.owner(50, 60, 70)
    for _ in range(2):
        await street.home(40)
    vote = await street.announced(opens_at=now(), closes_at=now() + timedelta(hours=1))
    sold = await ResidencyRow.get(account_id=seller.id)
    later = now()
    await ResidencyRow.filter(id=sold.id).update(until=later)
    await ResidencyRow.create(
        community_id=street.community.id,
        account_id=buyer.id,
        home_id=sold.home_id,
        relation=Relation.OWNER,
        since=later,
    )
    await vote.work()
    row = await vote.row()
    assert (row.status, row.heads, row.area_cm2) == (MotionStatus.OPEN, 4, 440 * M2)
    voters = {voter.account_id for voter in await ElectorVoterRow.all()}
    assert voters == {seller.id, investor.id, couple[0].id, couple[1].id}
    developer = await ElectorRow.get(kind=ElectorKind.DEVELOPER)
    assert developer.area_cm2 == 80 * M2
    # Published without a name, an address or an id of anything but the motion.
    snapshot = await export.electorate(await street.officer(), motion_id=vote.id)
    assert digest(snapshot) == row.snapshot_hash
    for secret in (seller.id, shared.id, investor.id, "phone", "account"):
        assert str(secret) not in snapshot
    numbers = [elector["number"] for elector in json.loads(snapshot)["electors"]]
    assert numbers == [1, 2, 3, 4]
    told = await NotificationRow.filter(kind=NotificationKind.MOTION)
    assert {row.account_id for row in told} == voters
    assert (await kinds(street))[-1] is Kind.MOTION_OPENED
    # The seller, who has moved away, still votes; the buyer does not.
    assert (await vote.cast(seller, YES)).entry.standing is Standing.COUNTED
    with pytest.raises(NotAllowed):
        await vote.cast(buyer, NO)


async def test_a_vote_in_some_buildings_is_theirs_alone(street: Street) -> None:
    inside = await street.owner(80)
    other_building = await street.world.building(street.estate)
    outsider = await street.world.account()
    await street.own(outsider, await street.home(80, other_building))
    await street.own(inside, await street.home(30, other_building))
    vote = await street.opened(scope_kind=ScopeKind.BUILDINGS, scope_ids=(street.building.id,))
    row = await vote.row()
    assert (row.heads, row.area_cm2, row.scope_label) == (1, 80 * M2, street.building.name)
    with pytest.raises(NotAllowed):
        await vote.cast(outsider, YES)
    await vote.cast(inside, YES)


async def test_registered_owners_without_an_account_are_heads_of_their_own(street: Street) -> None:
    registered, peopled = await street.home(80), await street.home(90)
    await street.home(10)
    await street.own(await street.world.account(), peopled, Relation.TENANT)
    await HouseholdEntryRow.create(
        community_id=street.community.id,
        home_id=registered.id,
        relation=Relation.OWNER,
        real_name_sealed="x",
        document_index="a" * 64,
        imported_by_id=new_id(),
    )
    await street.opened()
    kinds = sorted([elector.kind.value for elector in await ElectorRow.all()])
    assert kinds == ["DEVELOPER", "OWNER", "UNKNOWN"]


# Casting


async def test_one_head_one_ballot_that_counts(street: Street) -> None:
    world = street.world
    home = await street.home(100)
    husband, wife, tenant, child = [await world.account() for _ in range(4)]
    for account, relation in (
        (husband, Relation.OWNER),
        (wife, Relation.CO_OWNER),
        (tenant, Relation.TENANT),
        (child, Relation.FAMILY),
    ):
        await street.own(account, home, relation)
    vote = await street.opened()
    for outsider in (tenant, child, street.officers[0]):
        with pytest.raises(NotAllowed):
            await vote.cast(outsider, YES)
    first = await vote.cast(husband, YES)
    second = await vote.cast(wife, NO)
    row = await vote.row()
    assert (row.heads_cast, row.area_cast_cm2, row.entries) == (1, 100 * M2, 2)
    standings = [entry.standing for entry in await BoxEntryRow.all().order_by("number")]
    assert standings == [Standing.SUPERSEDED, Standing.COUNTED]
    assert json.loads(second.entry.content)["supersedes"] == first.entry.number
    assert json.loads(second.entry.content)["previous"] == first.entry.hash
    assert (await vote.closed())["items"][0]["no"] == {"heads": 1, "area": 100 * M2}
    # One told of the gauges once: a change is no news.
    assert (await kinds(street)).count(Kind.PARTICIPATION_CHANGED) == 1


async def test_where_nothing_changes_the_first_ballot_stays(street: Street) -> None:
    home = await street.home(100)
    husband, wife = await street.world.account(), await street.world.account()
    await street.own(husband, home)
    await street.own(wife, home, Relation.CO_OWNER)
    vote = await street.opened(under=FINAL)
    await vote.cast(husband, YES)
    for account in (husband, wife):
        with pytest.raises(Conflict):
            await vote.cast(account, NO)
    assert await BoxEntryRow.all().count() == 1
    assert (await vote.closed())["items"][0]["yes"]["heads"] == 1


async def test_the_same_submission_again_is_the_same_ballot(street: Street) -> None:
    owner = await street.owner(80)
    for under in (SURVEY, FINAL):
        vote = await street.opened(under=under)
        first = await vote.cast(owner, YES, key=f"again {under.changes_allowed}")
        again = await vote.cast(owner, YES, key=f"again {under.changes_allowed}")
        assert (again.entry.id, again.receipt) == (first.entry.id, first.receipt)
        assert (await vote.row()).entries == 1
        with pytest.raises(Conflict):
            await vote.cast(owner, NO, key=f"again {under.changes_allowed}")


async def test_an_owner_of_several_homes_has_one_choice(street: Street) -> None:
    """And who votes for two heads says for which home."""
    owner = await street.owner(80, 90)
    homes = [row.home_id for row in await ResidencyRow.filter(account_id=owner.id)]
    shared = await street.home(100)
    await street.own(owner, shared)
    await street.own(await street.world.account(), shared, Relation.CO_OWNER)
    vote = await street.opened()
    with pytest.raises(InvalidInput) as refused:
        await vote.cast(owner, YES)
    assert set(refused.value.fields) == {"homeId"}

    async def cast_for(home_id: UUID, choice: Choice) -> None:
        await vote.cast(owner, choice, home=await HomeRow.get(id=home_id))

    await cast_for(homes[0], YES)
    await cast_for(homes[1], NO)
    await cast_for(shared.id, ABSTAIN)
    row = await vote.row()
    assert (row.heads_cast, row.area_cast_cm2) == (2, 270 * M2)
    found = (await vote.closed())["items"][0]
    assert found["yes"] == {"heads": 0, "area": 0}
    assert found["no"] == {"heads": 1, "area": 170 * M2}
    assert found["abstain"] == {"heads": 1, "area": 100 * M2}


async def test_a_ballot_is_timely_to_the_instant(street: Street, clock: Clock) -> None:
    one, two, three = [await street.owner(80) for _ in range(3)]
    start = now()
    vote = await street.opened(opens_at=start, closes_at=start + timedelta(hours=1))
    row = await vote.row()
    clock.stand(row.closes_at - timedelta(microseconds=1))
    await vote.cast(one, YES)
    clock.stand(row.closes_at)
    for late in (two, three):
        with pytest.raises(NotAllowed):
            await vote.cast(late, YES)
    assert (await vote.row()).heads_cast == 1
    assert await BoxEntryRow.all().count() == 1


async def test_every_item_needs_one_choice(street: Street) -> None:
    owner = await street.owner(80)
    vote = await street.opened(ItemClass.PROPERTY_MANAGER, ItemClass.USE_OF_FUNDS)
    ctx = await street.ctx(owner)
    for choices in ({}, {vote.items[0]: YES}, {vote.items[0]: YES, new_id(): YES}):
        with pytest.raises(InvalidInput):
            await ballots.cast(ctx, motion_id=vote.id, home_id=None, choices=choices, key="1")
    assert await BoxEntryRow.all().count() == 0


async def test_ballots_of_one_home_at_once_count_once(street: Street) -> None:
    home = await street.home(100)
    accounts = [await street.world.account() for _ in range(5)]
    for account in accounts:
        await street.own(account, home, Relation.CO_OWNER)
    for under, expected in ((SURVEY, 10), (FINAL, 1)):
        vote = await street.opened(under=under)
        done = await asyncio.gather(
            *(vote.cast(accounts[n % 5], YES if n % 2 else NO) for n in range(10)), return_exceptions=True
        )
        assert sum(not isinstance(it, BaseException) for it in done) == expected
        assert all(isinstance(it, Conflict) for it in done if isinstance(it, BaseException))
        row = await vote.row()
        assert (row.heads_cast, row.area_cast_cm2, row.entries) == (1, 100 * M2, expected)
        assert await BoxEntryRow.filter(motion_id=vote.id, standing=Standing.COUNTED).count() == 1


# Paper


async def test_paper_needs_two_officers_who_agree(street: Street) -> None:
    owner = await street.owner(80)
    home = await street.home(100)
    await street.own(owner, home, Relation.TENANT)
    vote = await street.opened()
    entered = await vote.enter(home, YES)
    assert (await vote.row()).heads_cast == 0
    with pytest.raises(NotAllowed):
        await vote.confirm(entered.id, YES, by=0)
    wrong, nothing = await vote.confirm(entered.id, NO, by=1)
    assert (wrong.status, nothing) == (PaperStatus.DISCREPANT, None)
    assert (await vote.row()).heads_cast == 0
    with pytest.raises(Conflict):
        await vote.confirm(entered.id, YES, by=1)
    right, done = await vote.on_paper(home, YES, channel=Channel.DOORSTEP)
    assert (right.status, done.entry.channel, done.entry.via) == (
        PaperStatus.CONFIRMED,
        Channel.DOORSTEP,
        Via.OFFICE,
    )
    assert right.choices_sealed is None
    assert (await PaperRow.get(id=entered.id)).choices_sealed is None
    result = await vote.closed()
    doorstep = next(found for found in result["channels"] if found["channel"] == "DOORSTEP")
    assert doorstep["items"][0]["yes"] == {"heads": 1, "area": 100 * M2}
    actions = [entry.action for entry in await AuditRow.all().order_by("id")]
    assert actions.count("enterPaperBallot") == 2
    assert actions.count("confirmPaperBallot") == 3


async def test_what_a_paper_says_is_nowhere_to_be_read(street: Street) -> None:
    home = await street.home(100)
    vote = await street.opened()
    entered = await vote.enter(home, YES)
    assert entered.choices_sealed is not None
    assert "YES" not in entered.choices_sealed
    rows = await AuditRow.all()
    assert all("YES" not in row.detail for row in rows)


async def test_who_handles_paper(street: Street) -> None:
    """Officers who count; and nobody for the own home."""
    owner = await street.owner(80)
    officer_home = await street.home(90)
    await street.own(street.officers[1], officer_home)
    company = await street.world.organisation(street.community, OrganisationKind.PROPERTY_COMPANY)
    manager = await street.world.context(await street.world.officer(company, Role.ADMIN))
    vote = await street.opened()
    arguments: dict[str, Any] = {
        "motion_id": vote.id,
        "home_id": officer_home.id,
        "channel": Channel.PAPER,
        "choices": vote.choices(YES),
        "photo": "1",
        "key": "1",
    }
    for ctx in (await street.ctx(owner), manager):
        with pytest.raises(NotAllowed):
            await paper.enter(ctx, **arguments)
    assert await AuditRow.filter(action="enterPaperBallot", refused=True).count() == 2
    with pytest.raises(NotAllowed):
        await vote.enter(officer_home, YES, by=1)
    entered = await vote.enter(officer_home, YES, by=0)
    with pytest.raises(NotAllowed):
        await vote.confirm(entered.id, YES, by=1)
    # The attempts at the own home, too, though they were found out in the middle of the work.
    assert await AuditRow.filter(action="enterPaperBallot", refused=True).count() == 3
    assert await AuditRow.filter(action="confirmPaperBallot", refused=True).count() == 1
    with pytest.raises(InvalidInput):
        await paper.enter(await street.officer(), **{**arguments, "channel": Channel.ONLINE})
    assert (await vote.row()).entries == 0


async def test_online_and_paper_are_a_conflict_that_a_third_officer_settles(street: Street) -> None:
    owner = await street.owner(80)
    (residency,) = await ResidencyRow.filter(account_id=owner.id)
    home = await HomeRow.get(id=residency.home_id)
    vote = await street.opened()
    online = await vote.cast(owner, YES)
    _, done = await vote.on_paper(home, NO)
    assert done.entry.standing is Standing.DISPUTED
    row = await vote.row()
    assert (row.heads_cast, row.area_cast_cm2) == (1, 80 * M2)
    assert Kind.BALLOT_CONFLICT in await kinds(street)
    with pytest.raises(Conflict):
        await vote.cast(owner, NO)
    (page,) = await reading.rolls_of(
        await street.officer(), [row], reading.RollFilter(disputed=True), PageArgs(first=5)
    )
    (elector,) = page.items
    (rivals,) = await reading.rival_ballots_of(await street.officer(), [elector])
    assert [(rival.number, rival.channel) for rival in rivals] == [(1, Channel.ONLINE), (2, Channel.PAPER)]

    async def settle(by: int, number: int) -> None:
        await paper.settle_conflict(
            await street.officer(by),
            motion_id=vote.id,
            home_id=home.id,
            ballot_number=number,
            reason="业主确认",
        )

    for by in (0, 1):
        with pytest.raises(NotAllowed):
            await settle(by, 2)
    assert await AuditRow.filter(action="settleBallotConflict", refused=True).count() == 2
    with pytest.raises(InvalidInput):
        await settle(2, 9)
    await settle(2, 2)
    with pytest.raises(Conflict):
        await settle(2, 1)
    assert (await BoxEntryRow.get(id=online.entry.id)).standing is Standing.SET_ASIDE
    result = await vote.closed()
    assert result["items"][0]["no"] == {"heads": 1, "area": 80 * M2}
    assert result["conflicts"] == 0


async def test_an_unsettled_conflict_leaves_the_first(street: Street) -> None:
    owner = await street.owner(80)
    (residency,) = await ResidencyRow.filter(account_id=owner.id)
    home = await HomeRow.get(id=residency.home_id)
    unconfirmed = await street.home(10)
    vote = await street.opened()
    await vote.on_paper(home, NO)
    done = await vote.cast(owner, YES)
    assert done.entry.standing is Standing.DISPUTED
    await vote.enter(unconfirmed, YES)
    result = await vote.closed()
    assert result["items"][0]["no"]["heads"] == 1
    assert (result["conflicts"], result["unconfirmed_papers"]) == (1, 1)
    assert (await PaperRow.get(home_id=unconfirmed.id)).choices_sealed is None


# Proxies


async def home_of(owner: AccountRow) -> UUID:
    lived = await ResidencyRow.filter(account_id=owner.id).first()
    assert lived is not None
    return lived.home_id


async def test_a_proxy_votes_once_an_officer_has_looked(street: Street) -> None:
    owner, friend = await street.owner(80, 20), await street.owner(50)
    home_id = await home_of(owner)
    vote = await street.announced(opens_at=now() + timedelta(minutes=1), closes_at=now() + timedelta(hours=1))

    async def ask() -> UUID:
        row = await proxies.request(
            await street.ctx(friend),
            motion_id=vote.id,
            home_id=home_id,
            evidence="委托书 身份证后四位 1234",
            key="1",
        )
        return row.id

    proxy = await ask()
    assert await ask() == proxy
    assert "1234" not in (await ProxyRow.get(id=proxy)).evidence_sealed
    street.clock.forward(minutes=2)
    await vote.work()
    home = await HomeRow.get(id=home_id)
    with pytest.raises(NotAllowed):
        await vote.cast(friend, YES, home=home)
    with pytest.raises(NotAllowed):
        await proxies.evidence_of(await street.ctx(friend), proxy_id=proxy, reason="好奇")
    officer = await street.officer()
    text = await proxies.evidence_of(officer, proxy_id=proxy, reason="核对委托书")
    assert text == "委托书 身份证后四位 1234"
    assert await AuditRow.filter(action="readProxyEvidence", refused=False).count() == 1
    await proxies.decide(officer, proxy_id=proxy, approve=True, reason="")
    with pytest.raises(Conflict):
        await proxies.decide(officer, proxy_id=proxy, approve=False, reason="晚了")
    done = await vote.cast(friend, YES, home=home)
    assert (done.entry.via, (await vote.row()).area_cast_cm2) == (Via.PROXY, 100 * M2)
    # The owner's own word is the last.
    await vote.cast(owner, NO)
    with pytest.raises(Conflict):
        await vote.cast(friend, YES, home=home)
    await proxies.revoke(await street.ctx(owner), proxy_id=proxy)
    with pytest.raises(NotAllowed):
        await vote.cast(friend, YES, home=home)
    assert (await ProxyRow.get(id=proxy)).status is ProxyStatus.REVOKED
    assert (await vote.closed())["items"][0]["no"]["area"] == 100 * M2


async def test_proxies_that_are_refused(street: Street) -> None:
    owner, friend = await street.owner(80), await street.owner(50)
    home_id = await home_of(owner)
    none = await street.opened(under=replace(SURVEY, proxies_allowed=False))
    ctx = await street.ctx(friend)
    with pytest.raises(NotAllowed):
        await proxies.request(ctx, motion_id=none.id, home_id=home_id, evidence="x", key="1")
    vote = await street.opened()
    elsewhere = await street.world.neighbour(await street.world.community())
    with pytest.raises(NotFound):
        await proxies.request(
            await street.ctx(elsewhere), motion_id=vote.id, home_id=home_id, evidence="x", key="1"
        )
    with pytest.raises(InvalidInput):
        await proxies.request(ctx, motion_id=vote.id, home_id=new_id(), evidence="x", key="1")
    # An officer does not decide the own one, and a neighbour sees none.
    own = await proxies.request(
        await street.officer(), motion_id=vote.id, home_id=home_id, evidence="x", key="1"
    )
    with pytest.raises(NotAllowed):
        await proxies.decide(await street.officer(), proxy_id=own.id, approve=True, reason="")
    with pytest.raises(NotFound):
        await proxies.revoke(ctx, proxy_id=own.id)
    rejected = await proxies.decide(await street.officer(1), proxy_id=own.id, approve=False, reason="无签字")
    assert (rejected.status, rejected.reason) == (ProxyStatus.REJECTED, "无签字")


# Receipts and secrecy


async def test_a_receipt_shows_the_ballot_and_what_it_says_only_to_its_voter(street: Street) -> None:
    owner, other = await street.owner(80), await street.owner(90)
    vote = await street.opened()
    done = await vote.cast(owner, YES)
    mine = await receipts.check(await street.ctx(owner), motion_id=vote.id, code=done.receipt.lower())
    assert mine is not None
    assert (mine.choices, mine.standing, mine.hash) == ([YES], Standing.COUNTED, done.entry.hash)
    for account in (other, street.officers[0]):
        theirs = await receipts.check(await street.ctx(account), motion_id=vote.id, code=done.receipt)
        assert theirs is not None
        assert (theirs.choices, theirs.standing) == (None, Standing.COUNTED)
    assert await receipts.check(await street.ctx(owner), motion_id=vote.id, code="AAAA") is None
    stranger = await street.world.neighbour(await street.world.community())
    with pytest.raises(NotFound):
        await receipts.check(await street.ctx(stranger), motion_id=vote.id, code=done.receipt)
    (heads,) = await reading.own_heads_of(await street.ctx(owner), [await vote.row()])
    (own,) = await receipts.own_ballots_of(await street.ctx(owner), heads)
    assert (own[0].receipt, own[0].choices) == (done.receipt, [YES])


async def test_a_secret_ballot_leaves_no_trace_of_how(street: Street) -> None:
    owner, other = await street.owner(80, 7), await street.owner(90)
    vote = await street.opened(ItemClass.PROPERTY_MANAGER, ItemClass.RAISING_FUNDS, secret=True)
    secret = "K7QW3ZP9XN4MB2VT6YHD8RJC5F"
    done = await vote.cast(owner, YES, NO, receipt_secret=secret)
    again = await vote.cast(owner, YES, NO, receipt_secret=secret)
    assert again.entry.id == done.entry.id
    for choices in ((NO, NO), (YES, YES)):
        with pytest.raises(Conflict):
            await vote.cast(owner, *choices, receipt_secret=secret)
        with pytest.raises(Conflict):
            await vote.cast(owner, *choices)
    entry = await BoxEntryRow.get(id=done.entry.id)
    assert "YES" not in entry.content
    assert secret not in entry.content
    pieces = await SecretChoiceRow.all()
    assert sum(piece.area_cm2 for piece in pieces if piece.position == 1) == 87 * M2
    # No piece knows an elector, a time, an area that somebody has, or the other item's choice.
    assert {piece.created_at for piece in pieces} == {(await vote.row()).opens_at}
    assert not {piece.area_cm2 for piece in pieces} & {80 * M2, 7 * M2, 87 * M2}
    mine = await receipts.check(await street.ctx(owner), motion_id=vote.id, code=secret)
    assert mine is not None
    assert (mine.choices, mine.pieces_found) == ([YES, NO], True)
    (heads,) = await reading.own_heads_of(await street.ctx(owner), [await vote.row()])
    (own,) = await receipts.own_ballots_of(await street.ctx(owner), heads)
    assert (own[0].receipt, own[0].choices) == (None, None)
    for weak in ("short", "A" * 26, "!" * 30):
        with pytest.raises(InvalidInput):
            await vote.cast(other, YES, NO, receipt_secret=weak)
    before = {piece.id for piece in pieces}
    await vote.cast(other, NO, NO)
    result = await vote.closed()
    assert result["items"][0]["yes"] == {"heads": 1, "area": 87 * M2}
    assert result["items"][1]["no"] == {"heads": 2, "area": 177 * M2}
    assert all(channel["items"] == [] for channel in result["channels"])
    assert before.isdisjoint({piece.id for piece in await SecretChoiceRow.all()})


async def test_a_second_channel_in_a_secret_vote_is_refused(street: Street) -> None:
    owner = await street.owner(80)
    (residency,) = await ResidencyRow.filter(account_id=owner.id)
    home = await HomeRow.get(id=residency.home_id)
    vote = await street.opened(secret=True)
    await vote.cast(owner, YES)
    entered = await vote.enter(home, NO)
    with pytest.raises(Conflict):
        await vote.confirm(entered.id, NO)
    assert (await vote.closed())["items"][0]["yes"]["heads"] == 1


# Close, extension, result


async def test_story_seven_to_the_square_metre(street: Street) -> None:
    w = await street.owner(80, 80, 80)
    home = await street.home(100)
    couple = await street.world.account(), await street.world.account()
    await street.own(couple[0], home)
    await street.own(couple[1], home, Relation.CO_OWNER)
    for _ in range(2):
        await street.home(60)
    s1, s2, s3, _s4 = [await street.owner(110) for _ in range(4)]
    # The story's singles are 110 each; W's three and the rest come to 900.
    vote = await street.opened(ItemClass.PROPERTY_MANAGER, ItemClass.REBUILDING)
    row = await vote.row()
    assert (row.heads, row.area_cm2) == (7, 900 * M2)
    for account, choice in ((w, YES), (couple[1], NO), (s1, YES), (s2, NO)):
        await vote.cast(account, choice, choice)
    row = await vote.row()
    assert (row.heads_cast, row.area_cast_cm2) == (4, 560 * M2)
    await vote.cast(s3, YES, YES)
    result = await vote.closed()
    assert result["participating"] == {"heads": 5, "area": 670 * M2}
    assert [item["outcome"] for item in result["items"]] == ["ADOPTED", "REJECTED"]


async def test_too_few_without_an_extension_fail(street: Street) -> None:
    one, _, _ = [await street.owner(80) for _ in range(3)]
    vote = await street.opened()
    await vote.cast(one, YES)
    result = await vote.closed()
    row = await vote.row()
    assert result["items"][0]["outcome"] == "FAILED_PARTICIPATION"
    assert [test["passed"] for test in result["quorum"]] == [False, False]
    assert (row.status, row.extensions) == (MotionStatus.CLOSED, 0)
    last = await NoticeRow.all().order_by("-id").first()
    assert last is not None
    assert "未达" in last.body


async def test_too_few_are_given_more_time_as_often_as_the_rules_say(street: Street, clock: Clock) -> None:
    one, two, _ = [await street.owner(80) for _ in range(3)]
    vote = await street.opened(under=replace(SURVEY, most_extensions=2, extension_hours=24))
    await vote.cast(one, YES)
    for extension in (1, 2):
        before = (await vote.row()).closes_at
        clock.go(before + timedelta(seconds=5))
        assert reading.phase(await vote.row()) is MotionPhase.COUNTING
        with pytest.raises(NotAllowed):
            await vote.cast(two, YES)
        await vote.work()
        row = await vote.row()
        assert (row.extensions, row.closes_at) == (extension, before + timedelta(hours=24))
        assert reading.phase(row) is MotionPhase.OPEN
    assert await NoticeRow.filter(title__startswith="意见征询延期公告").count() == 2
    assert (await kinds(street)).count(Kind.MOTION_EXTENDED) == 2
    result = await vote.closed()
    assert result["items"][0]["outcome"] == "FAILED_PARTICIPATION"


async def test_enough_are_not_extended(street: Street) -> None:
    one, two, _ = [await street.owner(80) for _ in range(3)]
    vote = await street.opened(under=replace(SURVEY, most_extensions=2, extension_hours=24))
    await vote.cast(one, YES)
    await vote.cast(two, YES)
    result = await vote.closed()
    assert (await vote.row()).extensions == 0
    assert result["items"][0]["outcome"] == "ADOPTED"
    row = await vote.row()
    (notice,) = await NoticeRow.filter(title=f"意见征询结果公告：{row.title}")
    lines = notice.body.split("\n")
    assert lines[:2] == [
        "本结果为意见征询结果，不具有法律约束力。",
        "参与表决：业主2人，占3人的66.66%；专有部分面积160.00平方米，占240.00平方米的66.66%。",
    ]
    assert lines[2].endswith("：通过")
    assert lines[3:] == [
        "同意：2人，专有部分面积160.00平方米",
        "反对：0人，专有部分面积0.00平方米",
        "弃权：0人，专有部分面积0.00平方米",
        f"票箱校验码：{row.last_hash}",
    ]


async def test_a_late_close_counts_what_was_timely_and_tells_once(street: Street, clock: Clock) -> None:
    owner = await street.owner(80)
    vote = await street.opened()
    await vote.cast(owner, YES)
    clock.forward(days=9)
    await vote.work()
    await vote.work()
    row = await vote.row()
    assert row.status is MotionStatus.CLOSED
    assert (await kinds(street)).count(Kind.MOTION_CLOSED) == 1
    # A vote of which every process slept through the whole is opened, and fails.
    other = await street.announced(opens_at=now() + timedelta(hours=1), closes_at=now() + timedelta(hours=2))
    clock.forward(days=1)
    await other.work()
    result = (await other.row()).result
    assert result is not None
    assert result["total"]["heads"] == 1
    assert result["items"][0]["outcome"] == "FAILED_PARTICIPATION"


async def test_nobody_votes_in_an_empty_scope(street: Street) -> None:
    await street.adopt(SURVEY)
    ctx = await street.officer()
    row = await putting.create(
        ctx, organisation_id=street.committee.id, draft=street.draft(now=now()), key="1"
    )
    with pytest.raises(InvalidInput):
        await putting.announce(ctx, motion_id=row.id, version=row.version)


# Who reads what


async def test_the_export_is_for_owners_and_officers_after_the_close(street: Street) -> None:
    owner = await street.owner(80)
    tenant = await street.world.account()
    await street.own(tenant, await street.home(60), Relation.TENANT)
    vote = await street.opened()
    for account in (owner, street.officers[0]):
        with pytest.raises(Conflict):
            await export.export(await street.ctx(account), motion_id=vote.id)
    await vote.cast(owner, YES)
    await vote.closed()
    with pytest.raises(NotAllowed):
        await export.export(await street.ctx(tenant), motion_id=vote.id)
    text = await export.export(await street.ctx(owner), motion_id=vote.id)
    assert str(owner.id) not in text
    assert owner.id.hex not in text


async def test_the_simulator_says_what_is_needed_and_who_decides(street: Street) -> None:
    await street.owner(100, 50)
    big = await street.world.building(street.estate)
    for _ in range(4):
        account = await street.world.account()
        await street.own(account, await street.home(150, big))
    await street.home(30)
    vote = await street.announced(
        ItemClass.PROPERTY_MANAGER,
        ItemClass.RAISING_FUNDS,
        opens_at=now() + timedelta(hours=1),
        closes_at=now() + timedelta(hours=2),
    )
    found = await simulator.simulate(await street.officer(), motion_id=vote.id)
    assert (found.total.heads, found.total.area) == (6, 780 * M2)
    assert (found.needed_quorum.heads, found.needed_quorum.area) == (4, 520 * M2)
    assert [(item.at_quorum.heads, item.if_all.heads) for item in found.items] == [(3, 4), (3, 5)]
    assert [item.at_quorum.area for item in found.items] == [260 * M2 + 1, 390 * M2]
    assert [(row.building_id, row.indispensable, row.in_smallest_set) for row in found.buildings] == [
        (big.id, True, True),
        (street.building.id, False, False),
    ]
    assert (found.developer.heads, found.paper_only.heads, found.several_homes) == (1, 1, 1)
    with pytest.raises(NotAllowed):
        await simulator.simulate(await street.ctx(await street.owner(1)), motion_id=vote.id)


async def test_lists_cost_the_same_for_one_and_for_many(street: Street) -> None:
    owner = await street.owner(80)
    votes = [await street.opened() for _ in range(6)]
    for vote in votes:
        await vote.cast(owner, YES)
    ctx = await street.ctx(owner)
    rows = [await vote.row() for vote in votes]
    args = PageArgs(first=5)
    for batch in (
        lambda some: reading.items_of(ctx, some),
        lambda some: reading.rules_of(ctx, some),
        lambda some: reading.buildings_of(ctx, some, args),
        lambda some: reading.own_heads_of(ctx, some),
        lambda some: reading.rolls_of(ctx, some, reading.RollFilter(), args),
        lambda some: reading.papers_of(ctx, some, args),
        lambda some: reading.proxies_of(ctx, some, None, args),
    ):
        counts = []
        for some in (rows[:1], rows):
            async with counted() as queries:
                assert len(await batch(some)) == len(some)
            counts.append(queries.count)
        assert counts[0] == counts[1]


# Whatever is done in whatever order


class Ledger:
    """An independent bookkeeper: for each head the ballot that counts, and its rival in a conflict."""

    def __init__(self, changes: bool) -> None:
        self.changes = changes
        self.lines: dict[int, list[tuple[str, Choice]]] = {}

    def allows(self, action: str, who: int) -> bool:
        line = self.lines.get(who, [])
        if action == "settle":
            return len(line) == 2
        if len(line) == 2:
            return False
        return not (line and line[0][0] == action == "online") or self.changes

    def note(self, action: str, who: int, choice: Choice) -> None:
        line = self.lines.setdefault(who, [])
        if action == "settle":
            self.lines[who] = [line[1 if choice is YES else 0]]
        elif line and line[0][0] == action == "online":
            line[0] = (action, choice)
        else:
            line.append((action, choice))

    def heads_for(self, choice: Choice) -> list[int]:
        return [who for who, line in self.lines.items() if line[0][1] is choice]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["online", "online", "paper", "settle"]),
        st.integers(0, 2),
        st.sampled_from([YES, NO, ABSTAIN]),
    ),
    min_size=1,
    max_size=12,
)


async def act(vote: Vote, action: str, person: tuple[AccountRow, HomeRow], choice: Choice) -> None:
    account, home = person
    if action == "online":
        await vote.cast(account, choice)
    elif action == "paper":
        await vote.on_paper(home, choice)
    else:
        elector = await ElectorRow.get(motion_id=vote.id, area_cm2=home.area_cm2)
        number = elector.disputed if choice is YES else elector.counted
        ctx = await vote.street.officer(2)
        await paper.settle_conflict(
            ctx, motion_id=vote.id, home_id=home.id, ballot_number=number or 1, reason="核对"
        )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=ACTIONS, changes=st.booleans())
async def test_no_sequence_of_ballots_counts_a_head_twice(
    street: Street, script: list[tuple[str, int, Choice]], changes: bool
) -> None:
    """First, changed, disputed, settled: the gauges after each step, and the result, are the ledger's."""
    street.clock.reset()
    building = await street.world.building(street.estate)
    people: list[tuple[AccountRow, HomeRow]] = []
    for size in (80, 90, 100):
        account, home = await street.world.account(), await street.home(size, building)
        await street.own(account, home)
        people.append((account, home))
    vote = await street.opened(
        under=replace(SURVEY, changes_allowed=changes),
        scope_kind=ScopeKind.BUILDINGS,
        scope_ids=(building.id,),
    )
    ledger = Ledger(changes)
    for action, who, choice in script:
        if ledger.allows(action, who):
            await act(vote, action, people[who], choice)
            ledger.note(action, who, choice)
        else:
            with pytest.raises((Conflict, NotAllowed)):
                await act(vote, action, people[who], choice)
        row = await vote.row()
        assert row.heads_cast == len(ledger.lines)
        assert row.area_cast_cm2 == sum(people[who][1].area_cm2 for who in ledger.lines)
    result = await vote.closed()
    for choice in Choice:
        mine = ledger.heads_for(choice)
        assert result["items"][0][choice.value.lower()] == {
            "heads": len(mine),
            "area": sum(people[who][1].area_cm2 for who in mine),
        }
    assert result["conflicts"] == sum(len(line) == 2 for line in ledger.lines.values())
