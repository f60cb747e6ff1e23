"""Story 9, paper ballots: two officers, visible conflicts, and totals by channel that match the sheet."""

import pytest

from models.identity import HomeRow, ResidencyRow
from schema.node import global_id
from tests.client import Refused
from tests.neighbourhood import Neighbourhood
from tests.stories.assembly import SETTLE, Assembly
from tests.voting import M2

pytestmark = pytest.mark.anyio

CONFLICTS = """query Conflicts($id: ID!) { node(id: $id) { ... on Motion { roll(inConflict: true, first: 10) {
  edges { node { number channel homes { label } conflict { number channel standing } } } } } } }"""
OWN = """query Own($id: ID!) { node(id: $id) { ... on Motion { viewerHeads { inConflict channel
  ballots { standing choices } } } } }"""


async def test_two_officers_enter_and_the_sheet_matches(neighbourhood: Neighbourhood) -> None:
    assembly = await Assembly.called(neighbourhood)
    street = assembly.street
    clerk, second, third = assembly.officers
    online, both = await street.owner(80), await street.owner(90)
    homes = [await street.home(area) for area in (50, 60, 70)]
    for home in homes:
        await street.own(await street.world.account(), home)
    (deed,) = await ResidencyRow.filter(account_id=both.id)
    contested = await HomeRow.get(id=deed.home_id)
    await assembly.adopt()
    poll = await assembly.poll(seconds=3600)
    await poll.voted(online, "YES")

    # The sheet: 50 m² yes, 60 m² no on paper; 70 m² abstains at the door.
    sheet = [("PAPER", "YES"), ("PAPER", "NO"), ("DOORSTEP", "ABSTAIN")]
    for home, (channel, choice) in zip(homes, sheet, strict=True):
        entered = await poll.enter(clerk, home, channel, choice)
        assert entered["paperBallot"]["status"] == "ENTERED"
        assert (await poll.confirm(clerk, entered, choice))["__typename"] == "NotAllowed"
        confirmed = await poll.confirm(second, entered, choice)
        assert (confirmed["standing"], confirmed["paperBallot"]["status"]) == ("COUNTED", "CONFIRMED")

    # Online and on paper for one home: both sides see it, nobody sees what either says.
    await poll.voted(both, "YES")
    entered = await poll.enter(clerk, contested, "PAPER", "NO")
    assert (await poll.confirm(second, entered, "NO"))["standing"] == "DISPUTED"
    (edge,) = (await third.run(CONFLICTS, id=poll.id))["node"]["roll"]["edges"]
    rivals = edge["node"]["conflict"]
    assert [(rival["channel"], rival["standing"]) for rival in rivals] == [
        ("ONLINE", "COUNTED"),
        ("PAPER", "DISPUTED"),
    ]
    owner = await neighbourhood.app(both)
    (head,) = (await owner.run(OWN, id=poll.id))["node"]["viewerHeads"]
    assert head["inConflict"] is True
    assert head["ballots"] == [{"standing": "COUNTED", "choices": ["YES"]}]
    assert (await poll.cast(owner, "NO"))["__typename"] == "Conflict"
    with pytest.raises(Refused) as refused:
        await owner.run(CONFLICTS, id=poll.id)
    assert refused.value.codes == ["NOT_ALLOWED"]

    decision = {
        "motionId": poll.id,
        "homeId": global_id("Home", contested.id),
        "ballotNumber": rivals[1]["number"],
        "reason": "业主到场确认以纸质票为准",
    }
    assert (await second.act(SETTLE, input=decision))["__typename"] == "NotAllowed"
    assert (await third.act(SETTLE, input=decision))["__typename"] == "SettleBallotConflictPayload"

    await poll.end()
    result = await poll.closed(clerk)
    found = {channel["channel"]: channel for channel in result["channels"]}
    assert found["ONLINE"]["participating"] == {"heads": 1, "areaCm2": str(80 * M2)}
    assert found["PAPER"]["participating"] == {"heads": 3, "areaCm2": str(200 * M2)}
    assert found["DOORSTEP"]["participating"] == {"heads": 1, "areaCm2": str(70 * M2)}
    assert found["PAPER"]["items"][0] == {
        "yes": {"heads": 1, "areaCm2": str(50 * M2)},
        "no": {"heads": 2, "areaCm2": str(150 * M2)},
        "abstain": {"heads": 0, "areaCm2": "0"},
    }
    assert result["unsettledConflicts"] == 0
