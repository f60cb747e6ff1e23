"""Anybody recounts from the export alone, and notices whatever was touched."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.motions import Channel, ItemClass
from resolvers.motions import export, receipts
from resolvers.motions.ballot_box import canonical, digest
from tests.clock import Clock
from tests.voting import ABSTAIN, NO, SURVEY, YES, Street, Vote
from tests.voting import clock as clock
from tests.world import World

TOOL = Path(__file__).parent.parent / "tools" / "recount.py"


def recount(path: Path, *options: str) -> tuple[int, str]:
    """Exit status and report, from an interpreter that sees nothing of ours."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(TOOL), str(path), *options],
        capture_output=True,
        text=True,
        cwd=path.parent,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def voted(world: World, clock: Clock, *, secret: bool) -> tuple[Street, Vote, Any]:
    """A vote with changes, paper and, if it is open, a settled conflict; and one voter's receipt."""
    street = await Street.built(world, clock)
    one, two = await street.owner(80, 70), await street.owner(90)
    three = await street.owner(110)
    paper_home, unsold = await street.home(100), await street.home(60)
    await street.own(await world.account(), paper_home)
    vote = await street.opened(ItemClass.PROPERTY_MANAGER, ItemClass.RAISING_FUNDS, secret=secret)
    done = await vote.cast(one, YES, NO)
    if not secret:
        done = await vote.cast(one, YES, YES)
    await vote.cast(two, NO, ABSTAIN)
    await vote.on_paper(paper_home, YES, YES, channel=Channel.DOORSTEP)
    await vote.on_paper(unsold, ABSTAIN, YES)
    if not secret:
        await vote.cast(three, YES, YES)
    await vote.closed()
    return street, vote, done


async def exported(street: Street, vote: Vote) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await export.export(await street.officer(), motion_id=vote.id))
    return found


@pytest.mark.parametrize("secret", [False, True])
async def test_the_export_is_recounted_and_the_receipt_found(
    world: World, clock: Clock, tmp_path: Path, secret: bool
) -> None:
    street, vote, done = await voted(world, clock, secret=secret)
    row = await vote.row()
    path = tmp_path / "export.json"
    path.write_text(await export.export(await street.officer(), motion_id=vote.id))
    status, report = recount(path, "--box-hash", row.last_hash, "--receipt", done.receipt)
    assert status == 0, report
    assert "RIGHT" in report
    assert "counts: YES, NO" in report if secret else "counts: YES, YES" in report
    assert row.snapshot_hash in report
    assert "意见征询" in report
    assert recount(path, "--box-hash", "0" * 64)[0] == 1
    assert recount(path, "--receipt", "AAAA-BBBB")[0] == 1
    path.write_text("{}")
    assert recount(path)[0] == 2
    # It is the canonical text, the same each time.
    again = await export.export(await street.officer(), motion_id=vote.id)
    assert again == canonical(json.loads(again))


def rehash(content: dict[str, Any]) -> None:
    """What a forger with the whole export does: make the chain fit again."""
    previous = digest(canonical(content["header"]))
    for entry in content["entries"]:
        entry["content"]["previous"] = previous
        entry["hash"] = previous = digest(canonical(entry["content"]))
    content["last_hash"] = previous


def ballot(content: dict[str, Any], number: int) -> dict[str, Any]:
    found: dict[str, Any] = content["entries"][number - 1]["content"]
    return found


def change_choice(content: dict[str, Any]) -> None:
    ballot(content, 3)["choices"][0] = "YES"


def remove_entry(content: dict[str, Any]) -> None:
    del content["entries"][2]


def move_entry(content: dict[str, Any]) -> None:
    content["entries"][2], content["entries"][3] = content["entries"][3], content["entries"][2]


def grow_home(content: dict[str, Any]) -> None:
    content["electorate"]["electors"][0]["homes"][0]["area"] += 1


def publish_another(content: dict[str, Any]) -> None:
    content["result"]["items"][0]["outcome"] = "REJECTED"


def lower_threshold(content: dict[str, Any]) -> None:
    content["header"]["rules"]["special"]["numerator"] = 1


def late_ballot(content: dict[str, Any]) -> None:
    ballot(content, 4)["at"] = content["closes_at"]
    rehash(content)


def vote_twice(content: dict[str, Any]) -> None:
    again = copy.deepcopy(content["entries"][2])
    again["content"].update(number=len(content["entries"]) + 1, receipt="0" * 64)
    content["entries"].append(again)
    rehash(content)


def stranger(content: dict[str, Any]) -> None:
    ballot(content, 3)["elector"] = 99
    rehash(content)


def longer(content: dict[str, Any]) -> None:
    content["closes_at"] = "2099-01-01T00:00:00.000000+00:00"


def forged_and_rehashed(content: dict[str, Any]) -> None:
    change_choice(content)
    rehash(content)


TAMPERINGS = [
    change_choice,
    remove_entry,
    move_entry,
    grow_home,
    publish_another,
    lower_threshold,
    late_ballot,
    vote_twice,
    stranger,
    longer,
    forged_and_rehashed,
]


async def test_whatever_is_tampered_with_is_noticed(world: World, clock: Clock, tmp_path: Path) -> None:
    street, vote, _ = await voted(world, clock, secret=False)
    honest = await exported(street, vote)
    tamper: Callable[[dict[str, Any]], None]
    for tamper in TAMPERINGS:
        content = copy.deepcopy(honest)
        tamper(content)
        path = tmp_path / f"{tamper.__name__}.json"
        path.write_text(canonical(content))
        status, report = recount(path)
        assert status == 1, (tamper.__name__, report)
        assert "WRONG" in report


async def test_a_forger_of_everything_fails_at_the_noted_hash(
    world: World, clock: Clock, tmp_path: Path
) -> None:
    """A whole new history that fits in itself: only the hash that the owners noted tells."""
    street, vote, _ = await voted(world, clock, secret=False)
    content = await exported(street, vote)
    path = tmp_path / "export.json"
    ballot(content, 3)["at"] = ballot(content, 2)["at"]
    rehash(content)
    path.write_text(canonical(content))
    assert recount(path)[0] == 0
    assert recount(path, "--box-hash", (await vote.row()).last_hash)[0] == 1


async def test_a_secret_pool_that_was_touched_is_noticed(world: World, clock: Clock, tmp_path: Path) -> None:
    street, vote, done = await voted(world, clock, secret=True)
    honest = await exported(street, vote)
    assert "choices" not in canonical(honest["entries"])

    def status(content: dict[str, Any], *options: str) -> int:
        path = tmp_path / "export.json"
        path.write_text(canonical(content))
        return recount(path, *options)[0]

    content = copy.deepcopy(honest)
    content["pieces"].pop()
    assert status(content) == 1
    content = copy.deepcopy(honest)
    content["pieces"][0]["area"] += 1
    assert status(content) == 1
    # Turned round, with the result to match: the voter's own receipt tells.
    content = copy.deepcopy(honest)
    code = receipts.piece_code(receipts.normal_code(done.receipt), vote.id, 1, 0)
    (piece,) = [piece for piece in content["pieces"] if piece["code"] == code]
    piece["choice"] = "NO"
    yes, no = (content["result"]["items"][0][name] for name in ("yes", "no"))
    yes["heads"] -= 1
    no["heads"] += 1
    assert status(content, "--receipt", done.receipt) == 1


async def test_extensions_are_recounted(world: World, clock: Clock, tmp_path: Path) -> None:
    street = await Street.built(world, clock)
    one, two, _ = await street.owner(80), await street.owner(80), await street.owner(80)
    vote = await street.opened(under=replace(SURVEY, most_extensions=1, extension_hours=48))
    await vote.cast(one, YES)
    first = (await vote.row()).closes_at
    clock.forward(hours=24, seconds=10)
    await vote.work()
    row = await vote.row()
    assert (row.extensions, (row.closes_at - first).total_seconds()) == (1, 48 * 3600)
    await vote.cast(two, YES)
    await vote.closed()
    path = tmp_path / "export.json"
    path.write_text(await export.export(await street.officer(), motion_id=vote.id))
    status, report = recount(path)
    assert status == 0, report
    content = json.loads(path.read_text())
    content["header"]["rules"]["most_extensions"] = 0
    rehash(content)
    path.write_text(canonical(content))
    status, report = recount(path)
    assert status == 1
    assert "too often" in report
