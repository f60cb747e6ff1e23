"""The audit log: one chain a community, append-only, and every tampering found."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models import audit as log
from models.audit import NO_COMMUNITY, AuditCriteria, AuditRow, HeadRow, digest, genesis, install_guards
from models.base import new_id, now
from models.identity import AccountRow, CommunityRow, neighbour_key
from models.messages import Message
from models.organisations import OrganisationRow
from models.party.members import PartyFunction
from models.powers import Power
from models.roles import OrganisationKind, Role
from models.storage.paging import PageArgs
from models.storage.rows import columns, dialect, execute, select
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import DomainError, InvalidInput, NotAllowed, NotFound
from resolvers.identity import around
from resolvers.identity.addresses import communities_by_id, organisations_by_id
from resolvers.offices import exports, statistics
from resolvers.party import members
from resolvers.party.branches import branch_with_power
from resolvers.tables import BYTE_ORDER_MARK
from resolvers.verification import Verdict, report, unguarded, verify
from schema.audit import subjects_of
from schema.build import graphql_schema
from schema.node import global_id
from schema.serving.operations import Operations
from subscriptions.events import Event, Kind, community_topic
from tests.party_scene import Branch
from tests.party_scene import branch as branch
from tests.world import World, counted

COMPANY = OrganisationKind.PROPERTY_COMPANY

Drop = Callable[[], Awaitable[None]]


async def acted(ctx: Context, community: CommunityRow, *actions: str, detail: str = "") -> None:
    async with ctx.unit_of_work():
        for action in actions:
            await audit.record(ctx, action, community_id=community.id, subject_id=community.id, detail=detail)


async def entries(community: CommunityRow) -> list[AuditRow]:
    return await select(
        AuditRow,
        f"SELECT {columns(AuditRow)} FROM audit_entry t WHERE t.chain = ? ORDER BY t.number",
        community.id,
    )


async def verdicts(community: str | None = None, noted: str | None = None) -> list[Verdict]:
    return [verdict async for verdict in verify(community, noted)]


async def row_of(community: CommunityRow) -> CommunityRow:
    nobody: Any = None
    (row,) = await communities_by_id(Context(nobody, None), [community.id])
    assert row is not None
    return row


# Writing


async def test_entries_are_chained(world: World, community: CommunityRow, admin: AccountRow) -> None:
    ctx = replace(await world.context(admin), address="203.0.113.9", device="Firefox")
    await acted(ctx, community, "first", "second")
    await audit.refuse(ctx, "third", Message("Not you"), community_id=community.id)
    first, second, third = await entries(community)
    assert [row.number for row in (first, second, third)] == [1, 2, 3]
    assert first.previous_hash == genesis(community.id)
    assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
    assert all(row.hash == digest(row) for row in (first, second, third))
    head = await HeadRow.get(id=community.id)
    assert (head.number, head.hash) == (3, third.hash)
    assert (first.refused, third.refused, third.detail) == (False, True, "Not you")
    assert (first.account_id, first.roles) == (admin.id, "ADMIN")


async def test_where_it_came_from_is_no_address(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    for address in ("203.0.113.9", "203.0.113.9", "203.0.113.10", "2001:db8::1", "2001:db8::2", "command"):
        await acted(replace(ctx, address=address, device="Firefox 1"), community, "act")
    rows = await entries(community)
    four, same, other, six, six_too, none = (row.address for row in rows)
    assert four == same != other
    # Whoever has an IPv6 network has all of its addresses.
    assert six == six_too != four
    assert none == ""
    # With their dots and colons: a hash may have any run of digits.
    assert all("203.0" not in row.address and "2001:" not in row.address for row in rows)
    assert all("Firefox" not in row.device for row in rows)


async def test_numbers_of_documents_do_not_stay(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    await acted(await world.context(admin), community, "act", detail="身份证11010519491231002X\0，核对")
    (row,) = await entries(community)
    assert "1949" not in row.detail
    assert row.detail.endswith("2X，核对")


async def test_what_fails_leaves_no_entry(world: World, community: CommunityRow, admin: AccountRow) -> None:
    ctx = await world.context(admin)

    async def failing() -> None:
        async with ctx.unit_of_work():
            await audit.record(ctx, "act", community_id=community.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await entries(community) == []
    assert not await HeadRow.exists(id=community.id)


async def test_an_act_needs_its_unit_of_work_and_a_refusal_its_own(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    with pytest.raises(RuntimeError):
        await audit.record(ctx, "act", community_id=community.id)
    with pytest.raises(RuntimeError):
        async with ctx.unit_of_work():
            await audit.refuse(ctx, "act", Message("No"), community_id=community.id)
    assert await AuditRow.all().count() == 0


async def test_a_refusal_is_kept_though_the_client_goes(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    ctx = await world.context(admin)
    task = asyncio.create_task(audit.refuse(ctx, "act", Message("No"), community_id=community.id))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await AuditRow.filter(refused=True).count() == 1


async def test_a_refused_officer_is_entered_in_the_own_office(
    world: World, community: CommunityRow, committee: OrganisationRow
) -> None:
    company = await world.organisation(community, COMPANY)
    manager = await world.officer(company)
    for account in (manager, await world.neighbour(community)):
        await audit.refuse(
            await world.context(account),
            "act",
            Message("No"),
            community_id=community.id,
            organisation_id=committee.id,
        )
    own, strange = await entries(community)
    assert (own.organisation_id, own.roles, own.subject_id) == (company.id, "OFFICER", committee.id)
    assert (strange.organisation_id, strange.roles) == (committee.id, "")


async def test_at_the_same_time_the_chain_has_no_gap(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    """Acts that also raise the event log's topic, and refusals, wait for each other in one order."""
    other = await world.community()
    ctx = await world.context(admin)

    async def act(number: int) -> None:
        async with ctx.unit_of_work() as work:
            # In both orders: the chains are taken in one.
            for place in (community, other) if number % 2 else (other, community):
                await audit.record(ctx, f"act{number}", community_id=place.id)
                work.record(Event(community_topic(place.id), Kind.POST_CHANGED, new_id()))

    async def refused(number: int) -> None:
        await audit.refuse(ctx, f"refused{number}", Message("No"), community_id=community.id)

    await asyncio.gather(*[act(number) for number in range(12)], *[refused(number) for number in range(12)])
    assert [row.number for row in await entries(community)] == list(range(1, 25))
    assert [row.number for row in await entries(other)] == list(range(1, 13))
    assert [verdict.fault for verdict in await verdicts()] == [None, None]


async def test_what_belongs_to_no_community_has_a_chain(world: World, admin: AccountRow) -> None:
    ctx = await world.context(admin)
    async with ctx.unit_of_work():
        await audit.record(ctx, "act")
    (verdict,) = [verdict for verdict in await verdicts() if verdict.chain == NO_COMMUNITY]
    assert (verdict.chain, verdict.entries, verdict.fault) == (NO_COMMUNITY, 1, None)


# Tampering


async def test_the_database_refuses_to_change_it(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    await acted(await world.context(admin), community, "first", "second")
    before = await entries(community)
    for statement in (
        "UPDATE audit_entry SET detail = 'x'",
        "UPDATE audit_entry SET number = number + 10",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE number = 2",
        "UPDATE audit_chain SET number = 1",
        "DELETE FROM audit_chain",
        *(["TRUNCATE audit_entry", "TRUNCATE audit_chain"] if dialect() == "postgres" else []),
    ):
        with pytest.raises(Exception, match="append-only"):
            await execute(statement)
    assert await entries(community) == before
    assert await unguarded() == []


@pytest.fixture
async def drop_guards(world: World) -> AsyncIterator[Drop]:
    """Takes away what keeps the log from being changed, until the test's end."""

    async def drop() -> None:
        for name in log.postgres_guards() if dialect() == "postgres" else log.sqlite_guards():
            table = "audit_chain" if "chain" in name else "audit_entry"
            await execute(f"DROP TRIGGER {name}{f' ON {table}' if dialect() == 'postgres' else ''}")

    yield drop
    await log.install_guards()


async def test_guards_come_back_with_the_next_migration(drop_guards: Drop) -> None:
    await drop_guards()
    assert len(await unguarded()) in (4, 6)
    await log.install_guards()
    await log.install_guards()
    assert await unguarded() == []


SWAP = (
    "UPDATE audit_entry SET number = -2 WHERE number = 2",
    "UPDATE audit_entry SET number = 2 WHERE number = 3",
    "UPDATE audit_entry SET number = 3 WHERE number = -2",
)


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (["UPDATE audit_entry SET detail = 'x' WHERE number = 3"], "entry 3 says something else"),
        (["UPDATE audit_entry SET refused = (1 = 1) WHERE number = 5"], "entry 5 says something else"),
        (["UPDATE audit_entry SET account_id = NULL WHERE number = 1"], "entry 1 says something else"),
        (["DELETE FROM audit_entry WHERE number = 1"], "entry 1 is missing"),
        (["DELETE FROM audit_entry WHERE number = 4"], "entry 4 is missing"),
        (["DELETE FROM audit_entry WHERE number > 3"], "entries 4 to 5 at the end are missing"),
        (["DELETE FROM audit_entry"], "entries 1 to 5 at the end are missing"),
        (SWAP, "entry 2 does not follow"),
        (["UPDATE audit_chain SET hash = 'x'"], "the head is not entry 5"),
        (["UPDATE audit_chain SET number = 4"], "the head is not entry 5"),
        (["DELETE FROM audit_chain"], "the head is missing"),
    ],
)
async def test_tampering_shows(
    world: World,
    community: CommunityRow,
    admin: AccountRow,
    drop_guards: Drop,
    statements: list[str],
    fault: str,
) -> None:
    await acted(await world.context(admin), community, *(f"act{number}" for number in range(5)))
    await drop_guards()
    for statement in statements:
        await execute(statement)
    (verdict,) = await verdicts()
    assert (verdict.fault or "").startswith(fault)


async def test_a_change_with_its_hashes_made_anew_shows_against_a_noted_head(
    world: World, community: CommunityRow, admin: AccountRow, drop_guards: Drop
) -> None:
    """Whoever rewrites everything behind a change cannot rewrite what others have noted."""
    await acted(await world.context(admin), community, *(f"act{number}" for number in range(5)))
    rows = await entries(community)
    noted = rows[3].hash
    await drop_guards()
    previous = rows[0].hash
    for row in rows[1:]:
        row.previous_hash, row.detail = previous, "nothing happened"
        row.hash = previous = digest(row)
        await execute(
            "UPDATE audit_entry SET detail = ?, previous_hash = ?, hash = ? WHERE id = ?",
            row.detail,
            row.previous_hash,
            row.hash,
            row.id,
        )
    await execute("UPDATE audit_chain SET hash = ?", previous)
    assert [verdict.fault for verdict in await verdicts()] == [None]
    (verdict,) = await verdicts(community.name, noted)
    assert verdict.fault == "the entry that was noted is missing"


async def test_a_log_that_has_lost_everything_shows(
    world: World,
    community: CommunityRow,
    admin: AccountRow,
    drop_guards: Drop,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await acted(await world.context(admin), community, "act")
    await drop_guards()
    await execute("DELETE FROM audit_entry")
    await execute("DELETE FROM audit_chain")
    for name in (None, community.name):
        (verdict,) = await verdicts(name)
        assert (verdict.name, verdict.fault) == (community.name, "nothing is left, and there are officers")
    await execute("DELETE FROM appointment")
    await install_guards()
    capsys.readouterr()
    assert await report(None, None) == 1
    assert capsys.readouterr().out == "The audit log is empty\n"


async def test_a_cut_chain_with_its_head_put_back_shows_against_a_noted_head(
    world: World, community: CommunityRow, admin: AccountRow, drop_guards: Drop
) -> None:
    await acted(await world.context(admin), community, *(f"act{number}" for number in range(5)))
    rows = await entries(community)
    noted = rows[4].hash
    assert [verdict.fault for verdict in await verdicts(community.name, noted)] == [None]
    await drop_guards()
    await execute("DELETE FROM audit_entry WHERE number > 2")
    await execute("UPDATE audit_chain SET number = 2, hash = ?", rows[1].hash)
    assert [verdict.fault for verdict in await verdicts()] == [None]
    (verdict,) = await verdicts(community.name, noted)
    assert verdict.fault == "the entry that was noted is missing"


async def test_a_long_chain_is_walked_in_pages(
    world: World, community: CommunityRow, admin: AccountRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.verification.PAGE", 3)
    await acted(await world.context(admin), community, *(f"act{number}" for number in range(10)))
    (verdict,) = await verdicts(community.name)
    assert (verdict.entries, verdict.fault) == (10, None)
    assert verdict.head == (await HeadRow.get(id=community.id)).hash


# Reading


async def office_row(organisation: OrganisationRow) -> OrganisationRow:
    nobody: Any = None
    (row,) = await organisations_by_id(Context(nobody, None), [organisation.id])
    assert row is not None
    return row


async def test_who_may_read_what(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    company = await world.organisation(community, COMPANY)
    manager = await world.context(await world.officer(company, Role.ADMIN))
    await acted(await world.context(admin), community, "ofCommittee")
    await acted(manager, community, "ofCompany")
    args = PageArgs(first=10)
    leader = await world.context(admin)
    (page,) = await audit.log_of_communities(leader, [await row_of(community)], AuditCriteria(), args)
    assert [row.action for row in page.items] == ["ofCompany", "ofCommittee"]
    for ctx in (leader, manager):
        (page,) = await audit.log_of_organisations(ctx, [await office_row(company)], AuditCriteria(), args)
        assert [row.action for row in page.items] == ["ofCompany"]
    rows = await entries(community)
    ids = [row.id for row in rows]
    assert [bool(row) for row in await audit.visible_by_ids(leader, ids)] == [True, True]
    assert [bool(row) for row in await audit.visible_by_ids(manager, ids)] == [False, True]

    for account in (
        await world.officer(committee),
        await world.officer(company),
        await world.neighbour(community),
    ):
        ctx = await world.context(account)
        before = await AuditRow.filter(refused=True).count()
        with pytest.raises(NotAllowed):
            await audit.log_of_communities(ctx, [await row_of(community)], AuditCriteria(), args)
        with pytest.raises(NotAllowed):
            await audit.log_of_organisations(ctx, [await office_row(company)], AuditCriteria(), args)
        with pytest.raises(NotAllowed):
            await exports.audit_of_communities(ctx, [await row_of(community)], AuditCriteria())
        # Of who holds no office the same is kept once an hour.
        kept = 3 if ctx.viewer.offices else 1
        assert await AuditRow.filter(refused=True).count() == before + kept
        assert await audit.visible_by_ids(ctx, ids) == [None, None]
    with pytest.raises(NotAllowed):
        await audit.log_of_communities(manager, [await row_of(community)], AuditCriteria(), args)


async def test_strangers_do_not_write_into_a_log(world: World, community: CommunityRow) -> None:
    stranger = await world.officer(await world.organisation(await world.community()), Role.ADMIN)
    ctx, row = await world.context(stranger), await row_of(community)
    with pytest.raises(NotFound):
        await audit.log_of_communities(ctx, [row], AuditCriteria(), PageArgs(first=1))
    with pytest.raises(NotFound):
        await exports.audit_of_communities(ctx, [row], AuditCriteria())
    assert await entries(community) == []


async def test_a_party_branch_keeps_a_log_of_its_own(branch: Branch) -> None:
    """What it does with its members is in no other office's log, head, number or table."""
    row, house = await row_of(branch.community), branch.branch
    leader, resident = await branch.ctx(branch.manager), await branch.ctx(branch.neighbour)
    await acted(leader, branch.community, "act")
    (before,) = await audit.heads_of(resident, [row])
    csv = await exports.audit_of_communities(leader, [row], AuditCriteria(action="act"))
    wish = await members.apply(resident, branch_id=house.id, statement="我申请入党", key="apply")
    secretary = await branch.ctx(branch.secretary)
    await members.approve(secretary, application_id=wish.id, version=1, function=PartyFunction.MEMBER)
    with pytest.raises(NotAllowed):
        await members.reject(
            await branch.ctx(branch.officer), application_id=wish.id, version=2, reason="想一想再说"
        )
    noted = [entry.action for entry in await entries(branch.community)]
    assert noted == ["act", "exportAuditLog"]
    assert await exports.audit_of_communities(leader, [row], AuditCriteria(action="act")) == csv
    (page,) = await audit.log_of_organisations(secretary, [house], AuditCriteria(), PageArgs(first=10))
    assert [(entry.number, entry.action, entry.refused) for entry in page.items] == [
        (2, "party.reject", True),
        (1, "party.approve", False),
    ]
    assert await audit.visible_by_ids(leader, [entry.id for entry in page.items]) == [None, None]
    with pytest.raises(NotAllowed):
        await audit.log_of_organisations(leader, [house], AuditCriteria(), PageArgs(first=10))
    with pytest.raises(NotAllowed):
        await exports.audit_of_organisations(leader, [house], AuditCriteria())
    at = now()
    with pytest.raises(NotAllowed):
        await statistics.statistics_of(leader, [house], at - timedelta(days=1), at)
    assert before is not None
    found = {verdict.name: (verdict.entries, verdict.fault) for verdict in await verdicts()}
    assert found[house.name] == (2, None)


async def test_who_is_no_officer_is_entered_where_the_branch_reads_it(branch: Branch) -> None:
    with pytest.raises(NotAllowed):
        await branch_with_power(
            await branch.ctx(branch.neighbour), branch.id, Power.LOG_HOME_VISITS, "party.recordVisit"
        )
    assert await entries(branch.community) == []
    (page,) = await audit.log_of_organisations(
        await branch.ctx(branch.secretary), [branch.branch], AuditCriteria(), PageArgs(first=10)
    )
    assert [entry.account_id for entry in page.items] == [branch.neighbour.id]


async def test_filters(
    world: World, community: CommunityRow, committee: OrganisationRow, admin: AccountRow
) -> None:
    leader = await world.context(admin)
    clerk = await world.officer(committee)
    await acted(leader, community, "one", "two")
    await acted(await world.context(clerk), community, "two")
    await audit.refuse(await world.context(clerk), "one", Message("No"), community_id=community.id)
    row, rows = await row_of(community), await entries(community)

    async def found(wanted: AuditCriteria) -> list[int]:
        (page,) = await audit.log_of_communities(leader, [row], wanted, PageArgs(first=10))
        return [item.number for item in page.items]

    assert await found(AuditCriteria()) == [4, 3, 2, 1]
    assert await found(AuditCriteria(actor_id=neighbour_key(community.id, clerk.id))) == [4, 3]
    assert await found(AuditCriteria(action="two")) == [3, 2]
    assert await found(AuditCriteria(refused=True)) == [4]
    assert await found(AuditCriteria(refused=False, action="one")) == [1]
    assert await found(AuditCriteria(since=rows[2].created_at)) == [4, 3]
    assert await found(AuditCriteria(until=rows[2].created_at)) == [2, 1]


async def test_pages_and_their_cost(world: World, community: CommunityRow, admin: AccountRow) -> None:
    ctx, row = await world.context(admin), await row_of(community)
    costs = []
    for count in (1, 299):
        await acted(ctx, community, *(["act"] * count))
        async with counted() as queries:
            (page,) = await audit.log_of_communities(ctx, [row], AuditCriteria(), PageArgs(first=100))
            await audit.actors_of(ctx, page.items)
            await around.organisations(ctx, page.items)
        costs.append(queries.count)
    assert costs[0] == costs[1] == 3
    (page,) = await audit.log_of_communities(ctx, [row], AuditCriteria(), PageArgs(first=100))
    sought = []
    for number in (1, 100):
        async with counted() as queries:
            unknown = [replace(item, subject_id=new_id()) for item in page.items[:number]]
            assert await subjects_of(ctx, unknown) == [None] * number
        sought.append(queries.count)
    assert sought[0] == sought[1]
    numbers, after = [], None
    while True:
        args = PageArgs(first=100, after=after)
        (page,) = await audit.log_of_communities(ctx, [row], AuditCriteria(), args)
        numbers += [item.number for item in page.items]
        if not page.has_next_page:
            break
        after = page.cursors[-1]
    assert numbers == list(range(300, 0, -1))


async def test_the_head_is_for_all_who_may_look(
    world: World, community: CommunityRow, admin: AccountRow
) -> None:
    row = await row_of(community)
    (before,) = await audit.heads_of(await world.context(admin), [row])
    assert before is not None
    assert (before.number, before.hash) == (0, genesis(community.id))
    await acted(await world.context(admin), community, "act")
    (entry,) = await entries(community)
    (head,) = await audit.heads_of(await world.context(await world.neighbour(community)), [row])
    assert head is not None
    assert (head.number, head.hash) == (1, entry.hash)
    stranger = await world.neighbour(await world.community())
    assert await audit.heads_of(await world.context(stranger), [row]) == [None]
    assert await audit.heads_of(await world.context(), [row]) == [None]


async def test_an_export_names_nobody(world: World, community: CommunityRow, admin: AccountRow) -> None:
    ctx, row = replace(await world.context(admin), language="en"), await row_of(community)
    await acted(ctx, community, "one", "two", detail="王小明来电")
    (text,) = await exports.audit_of_communities(ctx, [row], AuditCriteria())
    head, first, second = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)))
    assert head == [*exports.AUDIT_HEADS]
    rows = await entries(community)
    assert (first[0], first[5], first[6], first[8]) == ("1", "one", "done", rows[0].hash)
    assert first[4] == second[4] != ""
    assert not any(
        personal in text for personal in ("王小明", str(admin.id), admin.id.hex, admin.display_name)
    )
    # To take it is an act itself, and the next export has it.
    assert rows[2].action == "exportAuditLog"
    (text,) = await exports.audit_of_communities(replace(ctx, language="zh-Hans"), [row], AuditCriteria())
    assert "exportAuditLog,完成" in text


async def test_a_long_export_is_refused_and_never_cut(
    world: World, community: CommunityRow, admin: AccountRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.offices.exports.MOST_ENTRIES", 3)
    ctx, row = await world.context(admin), await row_of(community)
    await acted(ctx, community, "a", "b", "c", "d")
    with pytest.raises(InvalidInput):
        await exports.audit_of_communities(ctx, [row], AuditCriteria())
    (text,) = await exports.audit_of_communities(ctx, [row], AuditCriteria(action="a"))
    assert len(text.splitlines()) == 2


# What must not be forgotten


def test_everything_that_asks_a_power_of_an_office_writes_the_log() -> None:
    """A use case that refuses with NotAllowed after asking for a power goes through `audit`."""
    root = Path(__file__).parent.parent / "resolvers"
    asking = [
        path
        for path in root.rglob("*.py")
        if "has_power" in path.read_text() and "raise NotAllowed" in path.read_text()
    ]
    silent = [path.name for path in asking if "audit." not in path.read_text()]
    assert silent == []


async def test_a_log_that_is_refused_does_not_take_others_along(
    world: World, community: CommunityRow, committee: OrganisationRow
) -> None:
    company = await world.organisation(community, COMPANY)
    manager = await world.context(await world.officer(company, Role.ADMIN))
    await acted(manager, community, "ofCompany")
    operations = Operations(graphql_schema, introspection=False, expected=(DomainError,))
    ids = [global_id("Organisation", row.id) for row in (committee, company)]
    for field in ("auditLog(first: 5) { edges { node { action } } }", "auditCsv"):
        query = f"query Logs($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Organisation {{ {field} }} }} }}"
        result = await operations.execute(operations.prepare(query), {"ids": ids}, manager)
        (error,) = result.errors or []
        assert (error.extensions or {})["code"] == "NOT_ALLOWED"
        others, own = (result.data or {})["nodes"]
        assert list(others.values()) == [None]
        assert "ofCompany" in str(own)
