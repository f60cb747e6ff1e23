"""The audit log: every power that an office used, and every attempt that was refused."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict, TypeVar, Unpack
from uuid import UUID

from models.audit import (
    Act,
    AuditCriteria,
    AuditRow,
    HeadRow,
    can_see_audit,
    can_see_audit_of,
    genesis,
    shown_roles,
    visible_to,
)
from models.base import InCommunity, now
from models.identity import CommunityRow, NeighbourRow, may_look_into
from models.messages import OF_RECORD, Message, in_language
from models.organisations import OrganisationRow
from models.powers import Power, office_with
from models.roles import OrganisationKind
from models.storage.paging import Order, Page, PageArgs
from models.storage.rows import Where
from models.storage.settled import settled
from models.storage.tables import by_ids, every, one
from models.visibility import Office, Viewer
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import InvalidInput, NotAllowed, NotFound
from resolvers.identity.faces import faces_of
from resolvers.masking import mask
from resolvers.paging import pages
from subscriptions.addresses import origin
from subscriptions.work import under_way

LONGEST_DETAIL = 500
# The same list, read page by page and by one officer, is one entry in so long.
ONE_READING = timedelta(minutes=1)
MOST_READINGS = 10_000
READINGS: dict[Hashable, datetime] = {}
BY_NUMBER = Order("audit", ("number",))


R = TypeVar("R", bound=InCommunity)


class Particulars(TypedDict, total=False):
    """What an entry says otherwise than the row that the act is about."""

    community_id: UUID
    organisation_id: UUID | None
    # The organisation is the one in whose name the viewer has this power in the community, if any.
    power: Power
    subject_id: UUID | None


async def record(
    ctx: Context,
    action: str,
    about: InCommunity | None = None,
    *,
    detail: str = "",
    **otherwise: Unpack[Particulars],
) -> None:
    """Write an entry in the caller's unit of work: no entry without the act, no act without the entry.

    It gets its place in the chain when everything else is written, just before the events. `about` is
    its subject and names the organisation; an organisation is no subject of its own acts.
    """
    work = under_way()
    if work is None:
        raise RuntimeError("An act is audited in the unit of work that does it")
    work.audit(await act_of(ctx, action, about, otherwise, detail))


async def refuse(
    ctx: Context,
    action: str,
    message: Message,
    about: InCommunity | None = None,
    **otherwise: Unpack[Particulars],
) -> NotAllowed:
    """Record a refused attempt, in a transaction of its own, and give the error to raise.

    Call it outside of a unit of work, which the error would roll back.
    """
    if under_way() is not None:
        raise RuntimeError("A refusal is recorded outside of the unit of work that it ends")
    act = await bounded(ctx, await act_of(ctx, action, about, otherwise, message, refused=True))
    if act is not None:
        # Queries are refused too, and who goes away in the middle of one leaves the attempt behind.
        await settled(keep(ctx, [act]))
    return NotAllowed(message)


async def note_reading(
    ctx: Context,
    action: str,
    rows: Iterable[R],
    allowed: Callable[[R], bool] = lambda _: True,
    **otherwise: Unpack[Particulars],
) -> None:
    """Keep that the viewer asked for what these rows list of persons, and whether it was refused.

    One entry for each office, whether they are one row's lists or many's; none for the same again within a
    minute. Who does not belong to a community leaves nothing in its log.
    """
    asked: dict[tuple[UUID, UUID | None, bool], list[R]] = {}
    for row in rows:
        if allowed(row) or ctx.viewer.belongs_to(row.community_id):
            place = row.community_id, particulars_of(row).get("organisation_id"), allowed(row)
            asked.setdefault(place, []).append(row)
    acts = []
    for (community_id, organisation_id, may), group in asked.items():
        ids = frozenset(row.id for row in group)
        if read_lately(ctx, action, community_id, organisation_id, may, ids):
            continue
        told = particulars_of(group[0]) | otherwise
        if len(ids) > 1:
            told["subject_id"] = None
        detail = f"× {len(ids)}" if len(ids) > 1 else ""
        act = await act_of(ctx, action, None, told, detail, refused=not may)
        acts.append(act if may else await bounded(ctx, act))
    if kept := [act for act in acts if act is not None]:
        await settled(keep(ctx, kept))


def read_lately(ctx: Context, *what: Hashable) -> bool:
    """Whether this account has asked this process for the same within a minute; it has now."""
    at, key = now(), (ctx.viewer.account_id, *what)
    last = READINGS.get(key)
    if last is not None and at - ONE_READING < last <= at:
        return True
    if len(READINGS) >= MOST_READINGS:
        READINGS.clear()
    READINGS[key] = at
    return False


async def bounded(ctx: Context, refused: Act) -> Act | None:
    """The entry of a refused attempt, if there is one: nobody fills a log that is kept for ever.

    Of who holds no office there, of each action one in a request, the first in an hour, and then one that
    says how many they were at the tenth, the hundredth, and so on.
    """
    if refused.roles:
        return refused
    asked = "refused", refused.action
    if asked in ctx.memo:
        return None
    ctx.memo[asked] = True
    who = refused.account_id or refused.address
    times = await limits.counted(f"refused/{who}/{refused.chain}/{refused.action}", 3600)
    if times == 1:
        return refused
    if str(times).strip("0") == "1":
        return replace(refused, detail=f"× {times} / h")
    return None


async def keep(ctx: Context, acts: Iterable[Act]) -> None:
    async with ctx.unit_of_work() as work:
        for act in acts:
            work.audit(act)


async def act_of(
    ctx: Context,
    action: str,
    about: InCommunity | None,
    otherwise: Particulars,
    detail: str,
    *,
    refused: bool = False,
) -> Act:
    """The act as the log keeps it: in the name of the actor's own office, whatever was reached for.

    Whoever reaches for another organisation and names nothing more has that organisation as subject. Who
    holds no office in the community is entered with the organisation that it was about, and no role.
    """
    told = particulars_of(about) | otherwise
    community_id, subject_id = told.get("community_id"), told.get("subject_id")
    if "power" in told and community_id is not None:
        organisation_id = office_with(ctx.viewer, community_id, told["power"])
    else:
        organisation_id = told.get("organisation_id")
    office = office_of(ctx.viewer, community_id, organisation_id)
    acting = office.organisation_id if office else None
    if acting != organisation_id and organisation_id is not None:
        subject_id = subject_id or organisation_id
        acting = acting or organisation_id
    return Act(
        action=action,
        community_id=community_id,
        organisation_id=acting,
        kind=await kind_of(office, acting),
        roles=shown_roles(office.roles) if office else "",
        account_id=ctx.viewer.account_id,
        subject_id=subject_id,
        refused=refused,
        detail=mask(in_language(detail, OF_RECORD).replace("\0", ""))[:LONGEST_DETAIL],
        address=keyed(ctx, "audit-address", origin(ctx.address)),
        device=keyed(ctx, "audit-device", ctx.device),
    )


async def kind_of(office: Office | None, organisation_id: UUID | None) -> OrganisationKind | None:
    """What the organisation of an entry is; it is looked up only for who holds no office there."""
    if office is not None and office.organisation_id == organisation_id:
        return office.kind
    row = await one(OrganisationRow, organisation_id) if organisation_id else None
    return row.kind if row else None


def particulars_of(about: InCommunity | None) -> Particulars:
    """What a row says of itself: its organisation is the one that it names, or the branch."""
    if about is None:
        return {}
    if isinstance(about, OrganisationRow):
        return {"community_id": about.community_id, "organisation_id": about.id}
    return {
        "community_id": about.community_id,
        "organisation_id": getattr(about, "organisation_id", None) or getattr(about, "branch_id", None),
        "subject_id": about.id,
    }


def office_of(viewer: Viewer, community_id: UUID | None, organisation_id: UUID | None) -> Office | None:
    """The office that the viewer acts in: the one named, if it is held, else one in the community."""
    if organisation_id is not None and organisation_id in viewer.offices:
        return viewer.offices[organisation_id]
    held = [office for office in viewer.offices.values() if office.community_id == community_id]
    return min(held, key=lambda office: office.organisation_id, default=None)


def keyed(ctx: Context, purpose: str, text: str | None) -> str:
    return ctx.services.keys.index(purpose, text)[:16] if text else ""


# Reading


async def log_of_communities(
    ctx: Context, communities: Sequence[CommunityRow], wanted: AuditCriteria, args: PageArgs
) -> list[Page[AuditRow]]:
    """The log of each community, the newest first.

    Raises InvalidInput, NotFound; NotAllowed, and keeps the attempt.
    """
    for community in communities:
        await check_may_read(ctx, community)
    ids = [community.id for community in communities]
    return await pages(AuditRow, ids, by="chain", args=args, where=wanted.where(ids), order=BY_NUMBER)


async def check_may_read(ctx: Context, community: CommunityRow) -> None:
    """Raises NotFound for who does not belong there, and who writes nothing into its log either.

    Raises NotAllowed, and keeps the attempt, for who belongs there and may not read it.
    """
    if not ctx.viewer.belongs_to(community.id):
        raise NotFound
    if not can_see_audit(ctx.viewer, community.id):
        raise await refused_reading(ctx, community.id, None)


async def check_may_read_of(ctx: Context, organisation: OrganisationRow) -> None:
    """Raises NotAllowed, and keeps the attempt, for who may not read what this organisation did."""
    if not can_see_audit_of(ctx.viewer, organisation):
        raise await refused_reading(ctx, organisation.community_id, organisation.id)


async def log_of_organisations(
    ctx: Context, organisations: Sequence[OrganisationRow], wanted: AuditCriteria, args: PageArgs
) -> list[Page[AuditRow]]:
    """What each organisation did, the newest first.

    Raises InvalidInput, NotAllowed, and keeps the attempt.
    """
    for organisation in organisations:
        await check_may_read_of(ctx, organisation)
    ids = [organisation.id for organisation in organisations]
    where = wanted.where(organisation.community_id for organisation in organisations)
    return await pages(AuditRow, ids, by="organisation_id", args=args, where=where, order=BY_NUMBER)


def check_moments(**moments: datetime | None) -> list[datetime | None]:
    """Each moment in UTC. Raises InvalidInput, which names it, for one without a time zone."""
    for field, moment in moments.items():
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput(**{field: Message("Needs a time zone")})
    return [moment and moment.astimezone(UTC) for moment in moments.values()]


async def refused_reading(ctx: Context, community_id: UUID, organisation_id: UUID | None) -> NotAllowed:
    return await refuse(
        ctx,
        "auditLog",
        Message("Only administrators of the office may read its audit log"),
        community_id=community_id,
        organisation_id=organisation_id,
    )


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[AuditRow | None]:
    """The entries with these ids that the viewer may read, None for each of the others."""
    where = visible_to(ctx.viewer)
    return await by_ids(AuditRow, ids, where)


async def actors_of(ctx: Context, rows: Sequence[AuditRow]) -> list[NeighbourRow | None]:
    """Who did each, as neighbours know them; None outside of communities and for the operator."""
    return await faces_of(ctx, [(row.account_id, row.community_id) for row in rows])


async def heads_of(ctx: Context, communities: Sequence[CommunityRow]) -> list[HeadRow | None]:
    """Where each community's chain stands, for whoever may look into it."""
    ids = [community.id for community in communities if may_look_into(ctx.viewer, community.id)]
    rows = await every(HeadRow, Where("t.id IN (?)", (ids,)))
    found = {row.id: row for row in rows}
    return [
        found.get(community.id) or HeadRow(id=community.id, number=0, hash=genesis(community.id))
        if community.id in ids
        else None
        for community in communities
    ]
