"""Story 19, collision: two clerks answer one case; the second gets a conflict, not an overwrite."""

import asyncio

import pytest

from tests.neighbourhood import Neighbourhood
from tests.stories.requests import HISTORY, act, done, street_in

pytestmark = pytest.mark.anyio


async def test_the_second_clerk_gets_a_conflict(neighbourhood: Neighbourhood) -> None:
    street = await street_in(neighbourhood)
    first, second = street.apps["clerk"], street.apps["mechanic"]
    read = await done(first, "acceptRequest", await street.submit("resident"))
    # Both have the same case on their screens.
    answered = await done(first, "finishRequest", read, note="轴承已更换")
    collided = await act(second, "finishRequest", read, note="已约厂家")
    assert (collided["__typename"], collided["code"]) == ("Conflict", "CONFLICT")
    # It comes with what is there now, so that the second clerk's screen shows it.
    assert collided["current"] == answered
    found = (await second.run(HISTORY, id=read["id"]))["node"]
    notes = [edge["node"]["note"] for edge in found["steps"]["edges"]]
    assert notes == ["", "", "轴承已更换"]
    # The first one's app, which has heard nothing, sends again and gets what it did.
    other = await street.submit("resident")
    once = await act(first, "acceptRequest", other, idempotencyKey="again")
    again = await act(first, "acceptRequest", other, idempotencyKey="again")
    assert once == again
    assert once["__typename"] == "RequestActPayload"


async def test_of_many_at_once_one_answers(neighbourhood: Neighbourhood) -> None:
    """Over all servers, at the same moment."""
    street = await street_in(neighbourhood)
    read = await done(street.apps["clerk"], "acceptRequest", await street.submit("resident"))
    clerks = [street.apps["clerk"], street.apps["mechanic"]] * 5
    results = await asyncio.gather(
        *(act(app, "finishRequest", read, note=f"答复 {n}") for n, app in enumerate(clerks))
    )
    kinds = [result["__typename"] for result in results]
    assert sorted(kinds) == [*["Conflict"] * 9, "RequestActPayload"]
    winner = kinds.index("RequestActPayload")
    found = (await street.apps["resident"].run(HISTORY, id=read["id"]))["node"]
    notes = [edge["node"]["note"] for edge in found["steps"]["edges"]]
    assert notes == ["", "", f"答复 {winner}"]
