"""Story 7, the double majority: by heads and by area, exact to the last square centimetre."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.identity import AccountRow, Relation
from tests.neighbourhood import Neighbourhood
from tests.stories.assembly import EVENTS, EXPORT, Assembly, Poll
from tests.voting import M2

pytestmark = pytest.mark.anyio

RECOUNT = Path(__file__).parent.parent.parent / "tools" / "recount.py"


def figures(tests: list[dict[str, Any]]) -> list[tuple[int, int, bool]]:
    """Area in square metres, then heads: part, whole, passed."""
    area, heads = tests
    assert (area["measure"], heads["measure"]) == ("AREA", "HEADS")
    return [
        (int(area["part"]) // M2, int(area["whole"]) // M2, area["passed"]),
        (int(heads["part"]), int(heads["whole"]), heads["passed"]),
    ]


async def test_w_the_couple_the_developer_and_four_singles(
    neighbourhood: Neighbourhood, tmp_path: Path
) -> None:
    assembly = await Assembly.called(neighbourhood)
    street = assembly.street
    w = await street.owner(80, 80, 80)
    home = await street.home(100)
    husband, wife = await street.world.account(), await street.world.account()
    await street.own(husband, home)
    await street.own(wife, home, Relation.CO_OWNER)
    for _ in range(2):
        await street.home(60)
    s1, s2, s3, _ = [await street.owner(110) for _ in range(4)]
    await assembly.adopt()

    few, abstained, agreed = await asyncio.gather(
        assembly.poll(), assembly.poll(), assembly.poll("PROPERTY_MANAGER", "REBUILDING")
    )
    watcher = await neighbourhood.app(s3)

    async def four(poll: Poll, *against: tuple[AccountRow, str], items: int = 1) -> None:
        votes = [(w, "YES"), (s1, "YES"), (husband, "NO"), (s2, "NO"), *against]
        await asyncio.gather(*(poll.voted(account, *[choice] * items) for account, choice in votes))

    async with watcher.following(EVENTS, community=assembly.community_id, motion=agreed.id) as stream:
        # In the third vote S3 first abstains and then switches.
        await asyncio.gather(four(few), four(abstained, (s3, "ABSTAIN")), four(agreed, items=2))
        await agreed.voted(s3, "ABSTAIN", "ABSTAIN")
        await agreed.voted(s3, "YES", "YES")
        gauge: dict[str, Any] = {}
        while gauge.get("heads") != 5:
            motion = (await stream.next("ParticipationChanged"))["motion"]
            assert motion["result"] is None
            gauge = motion["participation"]["cast"]
        assert gauge == {"heads": 5, "areaCm2": str(670 * M2)}

        result = await few.closed(watcher)
        assert figures(result["quorum"]) == [(560, 900, False), (4, 7, False)]
        assert result["items"][0]["outcome"] == "FAILED_PARTICIPATION"

        result = await abstained.closed(watcher)
        assert figures(result["quorum"]) == [(670, 900, True), (5, 7, True)]
        assert result["quorum"][0]["threshold"] == {
            "numerator": 2,
            "denominator": 3,
            "strict": False,
            "clause": "民法典第二百七十八条第二款第一句",
        }
        assert figures(result["items"][0]["tests"]) == [(350, 670, True), (2, 5, False)]
        assert result["items"][0]["outcome"] == "REJECTED"

        result = await agreed.closed(watcher)
        ordinary, rebuilding = result["items"]
        assert figures(ordinary["tests"]) == [(460, 670, True), (3, 5, True)]
        assert ordinary["outcome"] == "ADOPTED"
        assert figures(rebuilding["tests"]) == [(460, 670, False), (3, 5, False)]
        assert rebuilding["tests"][0]["threshold"]["numerator"] == 3
        assert rebuilding["outcome"] == "REJECTED"
        assert result["binding"] is False
        closed = (await stream.next("MotionClosed"))["motion"]
        assert [item["outcome"] for item in closed["result"]["items"]] == ["ADOPTED", "REJECTED"]

    # Anybody counts again, with nothing but the export.
    path = tmp_path / "export.json"
    path.write_text((await watcher.run(EXPORT, id=agreed.id))["motionExport"])
    box_hash = (await agreed.now(watcher))["boxHash"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(RECOUNT), str(path), "--box-hash", box_hash],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "460.0000 m² of 670.0000 m² > 1/2: yes" in done.stdout


async def test_exactly_six_hundred_of_nine_hundred_is_enough(neighbourhood: Neighbourhood) -> None:
    assembly = await Assembly.called(neighbourhood)
    owners = [await assembly.street.owner(100) for _ in range(9)]
    await assembly.adopt()
    poll = await assembly.poll(seconds=3600)
    await asyncio.gather(*(poll.voted(owner, "YES") for owner in owners[:6]))
    await poll.end()
    result = await poll.closed(assembly.officers[0])
    assert figures(result["quorum"]) == [(600, 900, True), (6, 9, True)]
    assert result["items"][0]["outcome"] == "ADOPTED"
