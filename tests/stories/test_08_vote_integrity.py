"""Story 8, the integrity of a vote: each odd case has one defined answer (docs/votes.md)."""

import asyncio
import json

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, build_schema, get_named_type, is_leaf_type

from models.base import now
from models.identity import Relation, ResidencyRow
from schema.build import sdl
from tests.client import Refused
from tests.neighbourhood import Neighbourhood
from tests.stories.assembly import EXPORT, RECEIPT, Assembly
from tests.voting import M2

pytestmark = pytest.mark.anyio

PARALLEL = 50


async def test_each_odd_case_has_its_answer(neighbourhood: Neighbourhood) -> None:
    assembly = await Assembly.called(neighbourhood)
    street, world = assembly.street, assembly.street.world
    home, tenants_home = await street.home(100), await street.home(90)
    husband, wife, tenant, buyer = [await world.account() for _ in range(4)]
    await street.own(husband, home)
    await street.own(wife, home, Relation.CO_OWNER)
    await street.own(tenant, tenants_home, Relation.TENANT)
    seller = await street.owner(80)
    flats = [await street.home(50), await street.home(60)]
    investor = await world.account()
    for flat in flats:
        await street.own(investor, flat)
    apps = {name: await neighbourhood.app(account) for name, account in
            {"husband": husband, "wife": wife, "tenant": tenant, "seller": seller, "buyer": buyer,
             "investor": investor}.items()}  # fmt: skip
    await assembly.adopt()
    poll = await assembly.poll(seconds=3600)

    # Sent twice: the same ballot, the same receipt.
    first = await poll.cast(apps["husband"], "YES", key="twice")
    again = await poll.cast(apps["husband"], "YES", key="twice")
    assert first["__typename"] == "CastBallotPayload"
    assert again == first
    # Both spouses: the later one changes their one vote.
    changed = await poll.cast(apps["wife"], "NO")
    assert changed["number"] == first["number"] + 1
    receipt = await apps["husband"].run(RECEIPT, motion=poll.id, code=first["receiptCode"])
    assert receipt["ballotReceipt"]["standing"] == "SUPERSEDED"
    assert receipt["ballotReceipt"]["choices"] == ["YES"]
    receipt = await apps["husband"].run(RECEIPT, motion=poll.id, code=changed["receiptCode"])
    assert receipt["ballotReceipt"]["standing"] == "COUNTED"
    assert receipt["ballotReceipt"]["choices"] is None

    # A tenant has no vote.
    assert (await poll.cast(apps["tenant"], "YES"))["__typename"] == "NotAllowed"

    # Sold during the vote: who owned at the opening votes, the buyer does not.
    (deed,) = await ResidencyRow.filter(account_id=seller.id)
    await ResidencyRow.filter(id=deed.id).update(until=now())
    await ResidencyRow.create(
        community_id=street.community.id, account_id=buyer.id, home_id=deed.home_id, relation=Relation.OWNER
    )
    assert (await poll.cast(apps["buyer"], "NO"))["__typename"] == "NotAllowed"
    assert (await poll.cast(apps["seller"], "YES"))["__typename"] == "CastBallotPayload"

    # Several homes, different choices: one head, one choice, the last one, for all homes.
    for flat, choice in zip(flats, ("YES", "NO"), strict=True):
        done = await poll.cast(apps["investor"], choice, home=flat)
        assert done["standing"] == "COUNTED"

    # Too late.
    await poll.end()
    late = await poll.cast(apps["husband"], "YES")
    assert late["__typename"] == "NotAllowed"
    assert "closed" in late["message"]

    result = await poll.closed(apps["wife"])
    item = result["items"][0]
    assert item["yes"] == {"heads": 1, "areaCm2": str(80 * M2)}
    assert item["no"] == {"heads": 2, "areaCm2": str(210 * M2)}
    assert result["participating"]["heads"] == 3


@pytest.mark.parametrize("changes", [True, False])
async def test_fifty_ballots_of_one_home_at_once_count_once(
    neighbourhood: Neighbourhood, changes: bool
) -> None:
    assembly = await Assembly.called(neighbourhood)
    street = assembly.street
    home = await street.home(100)
    spouses = [await street.world.account() for _ in range(2)]
    for account in spouses:
        await street.own(account, home, Relation.CO_OWNER)
    await assembly.adopt(changesAllowed=changes)
    poll = await assembly.poll(seconds=3600)
    # Ten apps, in turn on each of the servers.
    apps = [await neighbourhood.app(spouses[n % 2]) for n in range(10)]
    done = await asyncio.gather(*(poll.cast(apps[n % 10], "YES" if n % 3 else "NO") for n in range(PARALLEL)))
    accepted = [it for it in done if it["__typename"] == "CastBallotPayload"]
    found = await poll.now(apps[0])
    assert found["participation"]["cast"] == {"heads": 1, "areaCm2": str(100 * M2)}
    if changes:
        assert len(accepted) == found["boxEntries"] == PARALLEL
    else:
        assert len(accepted) == found["boxEntries"] == 1
        assert {it["__typename"] for it in done} == {"CastBallotPayload", "Conflict"}
    receipts = [
        (await apps[0].run(RECEIPT, motion=poll.id, code=it["receiptCode"]))["ballotReceipt"]["standing"]
        for it in accepted
    ]
    assert receipts.count("COUNTED") == 1
    assert {it["number"] for it in accepted} == set(range(1, len(accepted) + 1))


def selection(schema: GraphQLSchema, kind: GraphQLObjectType, depth: int, without: frozenset[str]) -> str:
    """Everything below `kind`, but for people, places and organisations, which cannot know."""
    parts = ["__typename"]
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        arguments = "(first: 20)" if "first" in field.args else ""
        if is_leaf_type(inner):
            parts.append(name)
        elif isinstance(inner, GraphQLObjectType) and depth and inner.name not in OUTSIDE | without:
            parts.append(f"{name}{arguments} {{ {selection(schema, inner, depth - 1, without)} }}")
    return " ".join(parts)


OUTSIDE = frozenset({"Organisation", "Neighbour", "Home", "Building", "Community", "PageInfo"})
# Refused to neighbours altogether.
OFFICE_ONLY = frozenset({"RollEntryConnection", "PaperBallotConnection"})


async def test_no_field_tells_of_a_direction_before_the_close(neighbourhood: Neighbourhood) -> None:
    """The test walks the schema below Motion, so that a field which is added is read, too."""
    assembly = await Assembly.called(neighbourhood)
    street = assembly.street
    voters = [await street.owner(80) for _ in range(3)]
    paper_home = await street.home(70)
    bystander = await neighbourhood.app(await street.owner(60))
    await assembly.adopt()
    schema = build_schema(sdl)
    kind = schema.type_map["Motion"]
    assert isinstance(kind, GraphQLObjectType)
    selections = [selection(schema, kind, 5, without) for without in (frozenset(), OFFICE_ONLY)]
    queries = [f"query All($id: ID!) {{ node(id: $id) {{ ... on Motion {{ {it} }} }} }}" for it in selections]
    assert all(name in queries[0] for name in ("choices", "roll", "conflict", "paperBallots", "viewerHeads"))

    for secret in (False, True):
        poll = await assembly.poll(seconds=3600, secret=secret)
        for voter, choice in zip(voters, ("YES", "NO", "YES"), strict=True):
            await poll.voted(voter, choice)
        entered = await poll.enter(assembly.officers[0], paper_home, "PAPER", "ABSTAIN")
        confirmed = await poll.confirm(assembly.officers[1], entered, "ABSTAIN")
        assert confirmed["standing"] == "COUNTED"
        for app, query in zip((assembly.officers[2], bystander), queries, strict=True):
            found = (await app.run(query, id=poll.id))["node"]
            assert found["result"] is None
            assert found["participation"]["cast"]["heads"] == 4
            text = json.dumps(found)
            assert not any(f'"{choice}"' in text for choice in ("YES", "NO", "ABSTAIN"))
            with pytest.raises(Refused) as refused:
                await app.run(EXPORT, id=poll.id)
            assert refused.value.codes == ["CONFLICT"]
