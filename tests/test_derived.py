"""What is made of personal data: keyed, so that nobody confirms a guess by it, and gone with that data."""

import hashlib
import json
import re

from tortoise import Tortoise

from models.base import now
from models.database import APP
from models.identity import Relation
from models.party.visits import HomeVisitRow
from models.retries import IdempotentCallRow
from models.roles import Role
from models.storage.rows import select_ids
from resolvers.identity import applications
from resolvers.offices import invitations
from resolvers.party import members, visits
from resolvers.party.visits import Visit
from tests.party_scene import Branch
from tests.party_scene import branch as branch
from tests.test_docs import section, table
from tests.world import World

MADE_OF_SOMETHING = re.compile(r"digest|index|hash|fingerprint|bigrams|(^|_)key$")


def test_the_threat_model_knows_every_column_that_is_made_of_others(world: World) -> None:
    columns = {
        f"{model._meta.db_table}.{column}"
        for model in (Tortoise.apps or {})[APP].values()
        for column in model._meta.fields_db_projection.values()
        if MADE_OF_SOMETHING.search(column)
    }
    said = {
        name
        for cells in table(section("threat-model.md", "What is kept, and how"), "column")
        for name in re.findall(r"[a-z_]+\.[a-z_]+", cells[0])
    }
    assert said - {"audit_entry.address", "audit_entry.device"} == columns


async def test_a_withdrawn_note_is_not_confirmed_by_guessing(branch: Branch) -> None:
    """By the digest of the call that wrote it: neither while the note is kept nor when it is gone."""
    ctx = await branch.ctx(branch.officer)
    given = Visit(
        home_id=branch.home.id,
        visited_at=now(),
        visitor_ids=(branch.face(branch.officer),),
        consented=True,
        notes="独居",
    )
    row = await visits.record(ctx, branch_id=branch.id, visit=given, key="note")
    body = [branch.id, given.home_id, given.visited_at, given.visitor_ids, True, given.notes]
    (call,) = await IdempotentCallRow.filter(result_id=row.id)
    text = json.dumps(["recordHomeVisit", body], sort_keys=True, default=str)
    assert call.digest not in ("", hashlib.sha256(text.encode()).hexdigest())
    await visits.withdraw_consent(ctx, visit_id=row.id, version=1)
    (call,) = await IdempotentCallRow.filter(result_id=row.id)
    assert call.digest == ""
    assert (await visits.record(ctx, branch_id=branch.id, visit=given, key="note")).id == row.id
    assert await HomeVisitRow.filter(home_id=given.home_id).count() == 1


async def test_equal_calls_of_two_accounts_have_other_digests(world: World) -> None:
    home = await world.home(await world.building(await world.estate(await world.community())))
    for number in range(2):
        await applications.apply(
            await world.context(await world.account()),
            home_id=home.id,
            relation=Relation.OWNER,
            real_name="张三",
            document_number="E1234567",
            evidence="",
            key="same",
        )
        assert len({call.digest for call in await IdempotentCallRow.all()}) == number + 1


async def test_a_decision_forgets_the_call_with_what_it_said(world: World, branch: Branch) -> None:
    community = await world.community()
    home = await world.home(await world.building(await world.estate(community)))
    officer = await world.officer(await world.organisation(community))
    applicant = await world.context(await world.account())
    row = await applications.apply(
        applicant,
        home_id=home.id,
        relation=Relation.OWNER,
        real_name="张三",
        document_number="E1234567",
        evidence="证",
        key="one",
    )
    await applications.reject(
        await world.context(officer), application_id=row.id, version=1, reason="无法核实"
    )
    asked = await branch.ctx(branch.neighbour)
    wish = await members.apply(asked, branch_id=branch.id, statement="我申请", key="two")
    await members.withdraw(asked, application_id=wish.id)
    admin = await branch.ctx(await world.officer(branch.committee, Role.ADMIN))
    offer = await invitations.invite(
        admin,
        organisation_id=branch.committee.id,
        role=Role.OFFICER,
        grid_id=None,
        phone="13812345678",
        key="three",
    )
    await invitations.revoke(admin, invitation_id=offer.id)
    for id in (row.id, wish.id, offer.id):
        (call,) = await IdempotentCallRow.filter(result_id=id)
        assert call.digest == ""
    assert await select_ids("SELECT id FROM office_invitation WHERE phone_index IS NOT NULL") == []


async def test_sizes_tell_nothing(world: World) -> None:
    keys = world.services.keys
    for texts in (("张三", "阿依古丽·买买提江"), (json.dumps(["NO"] * 9), json.dumps(["ABSTAIN"] * 9))):
        assert len({len(keys.seal("purpose", text)) for text in texts}) == 1
