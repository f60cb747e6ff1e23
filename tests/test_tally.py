"""The arithmetic against an independent, naive count with fractions; and no head or area twice."""

from fractions import Fraction
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from models.base import new_id
from models.identity import Relation
from models.motions import Channel, Choice, ElectorKind, ItemClass
from resolvers.motions.electorate import Ownership, Property, RegisteredOwnership, heads_of
from resolvers.motions.receipts import LARGEST_PIECE, pieces_of
from resolvers.motions.tally import (
    STATUTORY_ORDINARY,
    STATUTORY_QUORUM,
    STATUTORY_SPECIAL,
    CountedBallot,
    Threshold,
    Thresholds,
    Weight,
    tally_result,
)

LAW = Thresholds()
CHOICES = st.sampled_from(list(Choice))

electors = st.lists(
    st.tuples(
        st.integers(1, 10**9),
        st.one_of(st.none(), st.tuples(st.sampled_from(list(Channel)), CHOICES, CHOICES)),
    ),
    min_size=1,
    max_size=30,
)
classes = st.tuples(st.sampled_from(list(ItemClass)), st.sampled_from(list(ItemClass)))


def naive(people: list[tuple[int, str | None]], item_class: ItemClass) -> str:
    """As a clerk would: written from the article, not from the code."""
    everybody = len(people)
    ground = sum(area for area, _ in people)
    there = [(area, choice) for area, choice in people if choice is not None]
    if Fraction(len(there), everybody) < Fraction(2, 3):
        return "FAILED_PARTICIPATION"
    if Fraction(sum(area for area, _ in there), ground) < Fraction(2, 3):
        return "FAILED_PARTICIPATION"
    heads = Fraction(sum(choice == "YES" for _, choice in there), len(there))
    area = Fraction(sum(a for a, choice in there if choice == "YES"), sum(a for a, _ in there))
    if item_class in (ItemClass.RAISING_FUNDS, ItemClass.REBUILDING, ItemClass.COMMON_PARTS):
        good = heads >= Fraction(3, 4) and area >= Fraction(3, 4)
    else:
        good = heads > Fraction(1, 2) and area > Fraction(1, 2)
    return "ADOPTED" if good else "REJECTED"


@settings(max_examples=300, deadline=None)
@given(electors, classes)
def test_the_tally_is_what_a_naive_count_gives(
    people: list[tuple[int, tuple[Channel, Choice, Choice] | None]], items: tuple[ItemClass, ItemClass]
) -> None:
    ballots = [CountedBallot(Weight(1, area), vote[0], vote[1:]) for area, vote in people if vote]
    total = Weight(len(people), sum(area for area, _ in people))
    result = tally_result(LAW, items, total, ballots)
    for place, item_class in enumerate(items):
        found = result["items"][place]
        flat = [(area, vote[1 + place].value if vote else None) for area, vote in people]
        assert found["outcome"] == naive(flat, item_class)
        sides = [found[name] for name in ("yes", "no", "abstain")]
        assert {key: sum(side[key] for side in sides) for key in ("heads", "area")} == result["participating"]
        for name in ("yes", "no", "abstain"):
            by_channel = [channel["items"][place][name] for channel in result["channels"]]
            assert sum(part["area"] for part in by_channel) == found[name]["area"]
            assert sum(part["heads"] for part in by_channel) == found[name]["heads"]
    # A secret count of the same ballots, in pieces, comes to the same.
    pieces = [
        (place, choice, weight)
        for area, vote in people
        if vote
        for place, choice in ((1, vote[1]), (2, vote[2]))
        for weight in [Weight(1, 0), *(Weight(0, piece) for piece in pieces_of(area))]
    ]
    secret = tally_result(LAW, items, total, ballots, pieces)
    assert secret["items"] == result["items"]


@given(st.integers(0, 10**10))
def test_pieces_add_up_and_none_is_rare(area: int) -> None:
    pieces = pieces_of(area % (1 << 26))
    assert sum(pieces) == area % (1 << 26)
    assert all(piece <= LARGEST_PIECE and piece & (piece - 1) == 0 for piece in pieces)


@given(st.integers(1, 10**12), st.sampled_from([STATUTORY_QUORUM, STATUTORY_ORDINARY, STATUTORY_SPECIAL]))
def test_the_least_part_is_just_enough(whole: int, threshold: Threshold) -> None:
    least = threshold.least(whole)
    assert threshold.met(least, whole)
    assert not threshold.met(least - 1, whole)


def test_exactly_two_thirds_is_enough_and_exactly_half_is_not() -> None:
    assert STATUTORY_QUORUM.met(600, 900)
    assert not STATUTORY_QUORUM.met(599, 900)
    assert not STATUTORY_ORDINARY.met(450, 900)
    assert STATUTORY_ORDINARY.met(451, 900)
    assert STATUTORY_SPECIAL.met(675, 900)
    assert not any(law.met(0, 0) for law in (STATUTORY_QUORUM, STATUTORY_ORDINARY, STATUTORY_SPECIAL))


ACCOUNTS = [new_id() for _ in range(5)]
HOMES = [new_id() for _ in range(8)]
BUILDINGS = [new_id() for _ in range(3)]

held = st.lists(
    st.builds(
        Ownership,
        home_id=st.sampled_from(HOMES),
        account_id=st.sampled_from(ACCOUNTS),
        document_index=st.none(),
        relation=st.sampled_from(list(Relation)),
    ),
    max_size=20,
)
registered = st.lists(
    st.builds(
        RegisteredOwnership,
        home_id=st.sampled_from(HOMES),
        document_index=st.sampled_from([*(f"account:{id}" for id in ACCOUNTS), "x", "y"]),
        relation=st.sampled_from(list(Relation)),
    ),
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=8, max_size=8), held, registered)
def test_every_home_is_in_one_head_and_every_owner_set_is_one_head(
    areas: list[int], own: list[Ownership], known: list[RegisteredOwnership]
) -> None:
    homes = [
        Property(id, BUILDINGS[n % 3], "小区", f"{n % 3}号楼", "1", str(n), areas[n])
        for n, id in enumerate(HOMES)
    ]
    heads = heads_of(homes, own, known)
    placed = [home.home_id for head in heads for home in head.homes]
    assert sorted(placed) == sorted(HOMES)
    assert sum(head.area for head in heads) == sum(areas)
    assert sum(head.kind is ElectorKind.DEVELOPER for head in heads) <= 1
    owners: dict[UUID, set[UUID]] = {}
    for row in own:
        if row.relation in (Relation.OWNER, Relation.CO_OWNER):
            owners.setdefault(row.home_id, set()).add(row.account_id)
    for head in heads:
        # Only owners can cast, and each of them.
        assert head.accounts == set().union(*(owners.get(home.home_id, set()) for home in head.homes))
        if head.kind is ElectorKind.DEVELOPER:
            used = {row.home_id for row in own} | {row.home_id for row in known}
            assert used.isdisjoint(home.home_id for home in head.homes)


def test_the_register_adds_co_owners_and_speaks_where_nobody_else_does() -> None:
    homes = [Property(id, BUILDINGS[0], "小区", "1号楼", "1", str(n), 100) for n, id in enumerate(HOMES[:5])]
    own = [
        Ownership(HOMES[0], ACCOUNTS[0], "han", Relation.OWNER),
        Ownership(HOMES[1], ACCOUNTS[0], "han", Relation.OWNER),
        Ownership(HOMES[1], ACCOUNTS[1], "mei", Relation.CO_OWNER),
        Ownership(HOMES[3], ACCOUNTS[2], None, Relation.OWNER),
        Ownership(HOMES[4], ACCOUNTS[3], None, Relation.TENANT),
    ]
    known = [
        # The couple owns both, of which one was registered by the husband alone.
        RegisteredOwnership(HOMES[0], "han", Relation.OWNER),
        RegisteredOwnership(HOMES[0], "mei", Relation.CO_OWNER),
        # Registered, and with no account.
        RegisteredOwnership(HOMES[2], "lao", Relation.OWNER),
        # Out of date: sold to somebody else.
        RegisteredOwnership(HOMES[3], "lao", Relation.OWNER),
    ]
    heads = heads_of(homes, own, known)
    assert [[HOMES.index(home.home_id) for home in head.homes] for head in heads] == [[0, 1], [2], [3], [4]]
    assert heads[0].accounts == {ACCOUNTS[0], ACCOUNTS[1]}
    assert heads[1].accounts == set()
    assert heads[2].accounts == {ACCOUNTS[2]}
    # A tenant lives there: sold, and to whom nobody knows.
    assert heads[3].kind is ElectorKind.UNKNOWN
