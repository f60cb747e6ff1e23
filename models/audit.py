"""What offices did, and what was refused to them: append-only, and chained so that tampering shows.

Each community has a chain of its own, each party branch another, so that nobody else counts what it
does with its members, and what belongs to no community has one. An entry's hash covers all that the
entry says and the hash of the entry before it: who changes, removes or swaps one must change every
later one, up to the head that anybody may have noted.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from models.base import Table, new_id, now
from models.identity import account_behind
from models.organisations import OrganisationRow
from models.powers import Power, has_power
from models.roles import OrganisationKind
from models.storage import fields
from models.storage.rows import EVERYTHING, NOTHING, Where, dialect, execute, select
from models.storage.tables import Row, insert_all
from models.visibility import Viewer

# The chain of what belongs to no community.
NO_COMMUNITY = UUID(int=0)


class AuditRow(Table):
    # The community, the party branch, or NO_COMMUNITY.
    chain: UUID = fields.UUIDField()
    number: int = fields.BigIntField()
    community_id: UUID | None = fields.UUIDField(null=True, default=None)
    # The actor's office, and the roles held in it at that moment, joined by commas.
    organisation_id: UUID | None = fields.UUIDField(null=True, default=None)
    roles: str = fields.CharField(max_length=60, default="")
    account_id: UUID | None = fields.UUIDField(null=True, default=None)
    action: str = fields.CharField(max_length=60)
    subject_id: UUID | None = fields.UUIDField(null=True, default=None, db_index=True)
    refused: bool = fields.BooleanField(default=False)
    # Why, in the actor's words or ours; never personal data.
    detail: str = fields.CharField(max_length=500, default="")
    # From where: keyed hashes, which link attempts from one place and tell nobody which place.
    address: str = fields.CharField(max_length=16, default="")
    device: str = fields.CharField(max_length=16, default="")
    previous_hash: str = fields.CharField(max_length=64)
    hash: str = fields.CharField(max_length=64)

    class Meta:
        table = "audit_entry"
        unique_together = (("chain", "number"),)
        indexes = (("organisation_id", "number"), ("chain", "account_id", "number"))


class HeadRow(Row):
    """The head of a chain: how many entries it has, and the hash of the last one."""

    id: UUID = fields.UUIDField(primary_key=True)
    number: int = fields.BigIntField()
    hash: str = fields.CharField(max_length=64)

    class Meta:
        table = "audit_chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that an office did or was refused, before it has its place in a chain."""

    action: str
    community_id: UUID | None = None
    organisation_id: UUID | None = None
    # What the organisation is, where it is known.
    kind: OrganisationKind | None = None
    roles: str = ""
    account_id: UUID | None = None
    subject_id: UUID | None = None
    refused: bool = False
    detail: str = ""
    address: str = ""
    device: str = ""

    @property
    def chain(self) -> UUID:
        if self.kind is OrganisationKind.PARTY_BRANCH and self.organisation_id:
            return self.organisation_id
        return self.community_id or NO_COMMUNITY


def genesis(chain: UUID) -> str:
    """What stands before a chain's first entry."""
    return hashlib.sha256(f"linli audit chain {chain}".encode()).hexdigest()


def canonical(row: AuditRow) -> str:
    """All that an entry says but its own hash, as JSON with sorted names and without spaces."""
    told = {
        "account": text_of(row.account_id),
        "action": row.action,
        "address": row.address,
        "at": row.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "chain": text_of(row.chain),
        "community": text_of(row.community_id),
        "detail": row.detail,
        "device": row.device,
        "id": text_of(row.id),
        "number": row.number,
        "office": text_of(row.organisation_id),
        "outcome": "refused" if row.refused else "done",
        "previous": row.previous_hash,
        "roles": row.roles,
        "subject": text_of(row.subject_id),
    }
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def text_of(id: UUID | None) -> str | None:
    return str(id) if id else None


def digest(row: AuditRow) -> str:
    """The hash that an entry must have."""
    return hashlib.sha256(canonical(row).encode()).hexdigest()


async def append(acts: Sequence[Act]) -> None:
    """Write `acts` at the end of their chains, in the caller's transaction.

    Behind the row lock of each chain's head, which is taken after all other rows and before the
    event log's topics (subscriptions.work): so no two transactions wait for each other.
    """
    by_chain: dict[UUID, list[Act]] = {}
    for act in acts:
        by_chain.setdefault(act.chain, []).append(act)
    # In the order of ids, for the same reason.
    for chain in sorted(by_chain):
        await extend(chain, by_chain[chain])


async def extend(chain: UUID, acts: Sequence[Act]) -> None:
    (head,) = await execute(
        "INSERT INTO audit_chain (id, number, hash) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET number = audit_chain.number + excluded.number"
        " RETURNING number, hash",
        chain,
        len(acts),
        genesis(chain),
    )
    number, last = int(head["number"]) - len(acts), str(head["hash"])
    rows = []
    for act in acts:
        number += 1
        row = AuditRow(
            id=new_id(),
            chain=chain,
            number=number,
            community_id=act.community_id,
            organisation_id=act.organisation_id,
            roles=act.roles,
            account_id=act.account_id,
            action=act.action,
            subject_id=act.subject_id,
            refused=act.refused,
            detail=act.detail,
            address=act.address,
            device=act.device,
            created_at=now(),
            previous_hash=last,
            hash="",
        )
        row.hash = last = digest(row)
        rows.append(row)
    await insert_all(rows)
    await execute("UPDATE audit_chain SET hash = ? WHERE id = ? RETURNING id", last, chain)


# Who may read it


def can_see_audit(viewer: Viewer, community_id: UUID) -> bool:
    """May the viewer read all that the offices of this community did?"""
    return any(
        has_power(viewer, office.organisation_id, Power.SEE_AUDIT)
        for office in viewer.offices_of(community_id, OrganisationKind.RESIDENTS_COMMITTEE)
    )


def can_see_audit_of(viewer: Viewer, organisation: OrganisationRow) -> bool:
    """May the viewer read what this organisation did? The residents' committee may, of all but branches."""
    return has_power(viewer, organisation.id, Power.SEE_AUDIT) or (
        organisation.kind is not OrganisationKind.PARTY_BRANCH
        and can_see_audit(viewer, organisation.community_id)
    )


def visible_to(viewer: Viewer) -> Where:
    """The entries (as ``t``) of the organisations and communities whose log the viewer may read."""
    own = {
        office.organisation_id
        for office in viewer.offices.values()
        if has_power(viewer, office.organisation_id, Power.SEE_AUDIT)
    }
    all_of = {
        office.community_id
        for office in viewer.offices.values()
        if can_see_audit(viewer, office.community_id)
    }
    if not own:
        return NOTHING
    return Where("t.organisation_id IN (?)", (own,)) | Where("t.chain IN (?)", (all_of,))


@dataclass(frozen=True, slots=True)
class AuditCriteria:
    """Which entries: of one actor, a neighbour, of one action, refused or done, in [since, until)."""

    actor_id: UUID | None = None
    action: str | None = None
    refused: bool | None = None
    since: datetime | None = None
    until: datetime | None = None

    def where(self, communities: Iterable[UUID]) -> Where:
        where = EVERYTHING
        if self.actor_id is not None:
            accounts = [account_behind(community_id, self.actor_id) for community_id in set(communities)]
            where &= Where("t.account_id IN (?)", (accounts,))
        for text, value in (
            ("t.action = ?", self.action),
            ("t.refused = ?", self.refused),
            ("t.created_at >= ?", self.since),
            ("t.created_at < ?", self.until),
        ):
            if value is not None:
                where &= Where(text, (value,))
        return where


# What the database itself refuses. Tortoise's migrations know no triggers, and a rebuilt table loses
# them: `models.database.migrate` puts them there whenever they are missing.

REFUSAL = "the audit log is append-only"
TABLES = ("audit_entry", "audit_chain")


def sqlite_guards() -> dict[str, str]:
    """Trigger names, and the statements that make them."""

    def guard(name: str, when: str) -> str:
        return (
            f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )

    events = {
        "audit_entry_no_update": "UPDATE ON audit_entry",
        "audit_entry_no_delete": "DELETE ON audit_entry",
        "audit_chain_no_return": "UPDATE ON audit_chain WHEN NEW.number < OLD.number OR NEW.id <> OLD.id",
        "audit_chain_no_delete": "DELETE ON audit_chain",
    }
    return {name: guard(name, when) for name, when in events.items()}


POSTGRES_FUNCTION = (
    "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
)


def postgres_guards() -> dict[str, str]:
    def guard(name: str, when: str) -> str:
        return f"CREATE OR REPLACE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION audit_is_append_only()"

    chain_goes_back = "FOR EACH ROW WHEN (NEW.number < OLD.number OR NEW.id <> OLD.id)"
    events = {
        "audit_entry_no_update": "UPDATE ON audit_entry FOR EACH ROW",
        "audit_entry_no_delete": "DELETE ON audit_entry FOR EACH ROW",
        "audit_entry_no_truncate": "TRUNCATE ON audit_entry",
        "audit_chain_no_return": f"UPDATE ON audit_chain {chain_goes_back}",
        "audit_chain_no_delete": "DELETE ON audit_chain FOR EACH ROW",
        "audit_chain_no_truncate": "TRUNCATE ON audit_chain",
    }
    return {name: guard(name, when) for name, when in events.items()}


@dataclass(slots=True)
class OrganisationName:
    name: str


async def missing_guards() -> dict[str, str]:
    """The triggers that this database lacks, with the statements that make them."""
    if dialect() == "postgres":
        wanted = postgres_guards()
        # 'O' fires in ordinary sessions; a disabled one is as good as none.
        found = await select(
            OrganisationName,
            "SELECT t.tgname AS name FROM pg_trigger t WHERE t.tgenabled IN ('O', 'A')"
            " AND t.tgrelid IN (to_regclass('audit_entry'), to_regclass('audit_chain'))",
        )
    else:
        wanted = sqlite_guards()
        found = await select(
            OrganisationName,
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (?)",
            TABLES,
        )
    there = {row.name for row in found}
    return {name: statement for name, statement in wanted.items() if name not in there}


async def install_guards() -> None:
    """Have the database refuse to change or remove entries; does nothing where it does already."""
    missing = await missing_guards()
    if missing and dialect() == "postgres":
        await execute(POSTGRES_FUNCTION)
    for statement in missing.values():
        await execute(statement)


def shown_roles(roles: Iterable[str]) -> str:
    """Roles as an entry keeps them."""
    return ",".join(sorted(roles))
