"""Whether the audit log is what was written: every chain walked from its beginning to its head."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from models.audit import NO_COMMUNITY, AuditRow, HeadRow, digest, genesis, missing_guards
from models.roles import OrganisationKind
from models.storage.rows import columns, select
from models.storage.tables import one

# Entries read at a time, so that a log of years needs no more memory than one of a day.
PAGE = 1_000


@dataclass(slots=True)
class Verdict:
    """What a walk found: how many entries fit, the last one's hash, and what does not fit, if anything."""

    chain: UUID
    name: str
    entries: int
    head: str
    fault: str | None = None


@dataclass(slots=True)
class Chain:
    id: UUID
    name: str | None
    # Whether somebody holds an office there.
    acted: bool


async def verify(community: str | None = None, noted: str | None = None) -> AsyncIterator[Verdict]:
    """Walk every chain, or that of one community. With `noted`, a head's hash, it must hold that as well."""
    for chain in await chains(community):
        yield await verify_chain(chain, noted)


async def chains(community: str | None) -> list[Chain]:
    """The chains that have a head or an entry, whichever of the two is left, or must have had.

    No office of a community is held without an entry that says so.
    """
    rows = await select(
        Chain,
        "SELECT c.id, COALESCE(m.name, o.name) AS name, (o.id IS NULL AND EXISTS"
        " (SELECT 1 FROM appointment a JOIN organisation held ON held.id = a.organisation_id"
        " WHERE a.community_id = c.id AND held.kind <> ?)) AS acted"
        " FROM (SELECT id FROM audit_chain UNION SELECT chain AS id FROM audit_entry"
        " UNION SELECT community_id AS id FROM appointment) c"
        " LEFT JOIN community m ON m.id = c.id LEFT JOIN organisation o ON o.id = c.id"
        " ORDER BY name, c.id",
        OrganisationKind.PARTY_BRANCH,
    )
    if community is None:
        return rows
    # A community whose chain is gone altogether is looked at too.
    named = await select(Chain, "SELECT id, name, (1 = 0) AS acted FROM community WHERE name = ?", community)
    known = {row.id: row for row in rows}
    return [known.get(row.id, row) for row in named] + [
        row for row in rows if row.name is None and str(row.id) == community
    ]


async def verify_chain(chain: Chain, noted: str | None = None) -> Verdict:
    name = chain.name or ("(no community)" if chain.id == NO_COMMUNITY else str(chain.id))
    verdict = Verdict(chain.id, name, 0, genesis(chain.id))
    # An entry and its head are written together, so whatever the head counts must be there after it was read.
    head: HeadRow | None = None
    awaited = noted != verdict.head and noted
    while verdict.fault is None:
        rows = await page(chain.id, verdict.entries)
        for row in rows:
            verdict.fault = fault_of(verdict, row)
            if verdict.fault:
                return verdict
            verdict.entries, verdict.head = row.number, row.hash
            awaited = row.hash != noted and awaited
        if rows:
            continue
        if head is not None and head.number > verdict.entries:
            missing = f"{verdict.entries + 1} to {head.number}"
            verdict.fault = f"entries {missing} at the end are missing"
        head = await one(HeadRow, chain.id)
        if verdict.fault is None and (head is None or head.number <= verdict.entries):
            verdict.fault = at_end(verdict, head)
            if chain.acted and not verdict.entries and verdict.fault is None:
                verdict.fault = "nothing is left, and there are officers"
            if verdict.fault is None and awaited:
                verdict.fault = "the entry that was noted is missing"
            break
    return verdict


async def page(chain: UUID, after: int) -> list[AuditRow]:
    return await select(
        AuditRow,
        f"SELECT {columns(AuditRow)} FROM audit_entry t WHERE t.chain = ? AND t.number > ?"
        f" ORDER BY t.number LIMIT {PAGE}",
        chain,
        after,
    )


def fault_of(before: Verdict, row: AuditRow) -> str | None:
    """What is wrong with the entry behind those that fit, if anything."""
    if row.number != before.entries + 1:
        return f"entry {before.entries + 1} is missing"
    if row.previous_hash != before.head:
        return f"entry {row.number} does not follow the one before it"
    if row.hash != digest(row):
        return f"entry {row.number} says something else than what was written"
    return None


def at_end(verdict: Verdict, head: HeadRow | None) -> str | None:
    if head is None and verdict.entries:
        return "the head is missing"
    if head is not None and (head.number, head.hash) != (verdict.entries, verdict.head):
        return f"the head is not entry {verdict.entries}"
    return None


async def unguarded() -> list[str]:
    """What the database should refuse and, without these triggers, does not."""
    return sorted(await missing_guards())


async def report(community: str | None, noted: str | None) -> int:
    """Print what each chain comes to, or that of one community; `noted` is a head of it.

    Returns the command's exit status: 1 if a chain is not what was written, nothing guards the log, or
    there is none: a deployment's first act is an entry.
    """
    if noted and not community:
        print("--noted needs --community", file=sys.stderr)
        return 2
    status, found = 0, False
    async for verdict in verify(community, noted):
        found = True
        if verdict.fault:
            status = 1
            print(f"{verdict.name}: {verdict.fault} ({verdict.entries} entries before it fit)")
        else:
            print(f"{verdict.name}: {verdict.entries} entries, head {verdict.head}")
    for name in await unguarded():
        status = 1
        print(f"The database lacks the trigger {name}; `python main.py migrate` makes it")
    if not found:
        print(f"There is no community {community}" if community else "The audit log is empty")
        status = 1
    return status
