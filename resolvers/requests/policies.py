"""Categories of cases and their deadlines: versioned data, which the residents' committee sets."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from models import requests
from models.base import new_id, now
from models.identity import CommunityRow, may_look_into
from models.messages import Message
from models.powers import Power, has_power_in
from models.requests import HANDLING, PolicyRow, RequestRow
from models.roles import OrganisationKind
from models.storage.rows import Where, execute
from models.storage.tables import every, insert
from resolvers import audit, identity
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput

CODE = re.compile(r"[A-Z][A-Z0-9_]{0,22}[A-Z0-9]", re.ASCII)
LONGEST = 366 * requests.DAY

NEWEST = (
    "NOT EXISTS (SELECT 1 FROM request_policy n"
    " WHERE n.community_id = t.community_id AND n.code = t.code AND n.version > t.version)"
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a policy says, in seconds where it speaks of time."""

    name: str
    office_kind: OrganisationKind
    accept_seconds: int
    resolve_seconds: int
    remind_seconds: int
    confirm_seconds: int
    confirm_remind_seconds: int
    reopen_seconds: int
    on_board: bool
    retired: bool = False


# As GraphQL spells them.
SECONDS = {
    "accept_seconds": "acceptSeconds",
    "resolve_seconds": "resolveSeconds",
    "remind_seconds": "remindSeconds",
    "confirm_seconds": "confirmSeconds",
    "confirm_remind_seconds": "confirmRemindSeconds",
    "reopen_seconds": "reopenSeconds",
}


async def policies_of(ctx: Context, communities: Sequence[CommunityRow]) -> list[list[PolicyRow]]:
    """The newest policy of each category; none where the viewer may not look in."""
    wanted = [row.id for row in communities if may_look_into(ctx.viewer, row.id)]
    found = await newest(wanted)
    return [found.get(row.id, []) for row in communities]


async def newest(community_ids: Sequence[UUID]) -> dict[UUID, list[PolicyRow]]:
    """By community, in the order of codes. One that has set nothing has the defaults."""
    rows = await every(
        PolicyRow, Where(f"t.community_id IN (?) AND {NEWEST}", (set(community_ids),)), "t.code"
    )
    found: dict[UUID, list[PolicyRow]] = {}
    for row in rows:
        found.setdefault(row.community_id, []).append(row)
    return {id: found.get(id) or requests.default_policies(id) for id in community_ids}


async def seed(community_id: UUID) -> None:
    """Write the defaults of a community that has no policy yet, in the caller's transaction."""
    if await execute("SELECT id FROM request_policy WHERE community_id = ? LIMIT 1", community_id):
        return
    for row in requests.default_policies(community_id):
        await insert(row, "DO NOTHING")


async def current(community_id: UUID, code: str) -> PolicyRow:
    """The policy for new cases of a category. Raises InvalidInput for one that is not offered."""
    for row in (await newest([community_id]))[community_id]:
        if row.code == code and not row.retired:
            return row
    raise InvalidInput(category=Message("There is no such category here"))


async def policies_around(_ctx: Context, rows: Sequence[RequestRow]) -> list[PolicyRow]:
    """The policy that each case was opened under."""
    found = {
        row.id: row
        for row in await every(PolicyRow, Where("t.id IN (?)", ({row.policy_id for row in rows},)))
    }
    return [found[row.policy_id] for row in rows]


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PolicyRow | None]:
    """The policies with these ids in communities that the viewer may look into."""
    rows = await every(PolicyRow, Where("t.id IN (?)", (set(ids),)))
    found = {row.id: row for row in rows if may_look_into(ctx.viewer, row.community_id)}
    missing = [id for id in ids if id not in found]
    if missing:
        # The defaults have their ids before they are written.
        for defaults in (await newest(sorted(ctx.viewer.communities))).values():
            found |= {row.id: row for row in defaults if row.id in missing}
    return [found.get(id) for id in ids]


async def set_policy(
    ctx: Context, *, community_id: UUID, code: str, setting: Setting, version: int
) -> PolicyRow:
    """Give a category a new version of its policy, or make a new category (version 0).

    Cases under way keep the policy they were opened under. Raises NotFound, NotAllowed, InvalidInput,
    and Conflict if `version` is not the newest.
    """
    _ = ctx.account_id
    await identity.community_visible(ctx, community_id)
    if not has_power_in(ctx.viewer, community_id, Power.SET_REQUEST_POLICIES):
        raise await audit.refuse(
            ctx,
            "setRequestPolicy",
            Message("Only an administrator of the residents' committee may do this"),
            community_id=community_id,
        )
    kept = Setting(**(asdict(setting) | {"name": check_text("name", setting.name, 40)}))
    check_setting(code, kept)
    async with ctx.unit_of_work():
        await seed(community_id)
        before = [row for row in (await newest([community_id]))[community_id] if row.code == code]
        row = PolicyRow(
            id=new_id(),
            community_id=community_id,
            code=code,
            version=version + 1,
            **asdict(kept),
            set_by_id=ctx.account_id,
            created_at=now(),
        )
        # Two at once make the same version, of which the database takes one.
        if version != (before[0].version if before else 0) or not await insert(row, "DO NOTHING"):
            raise Conflict(Message("The policy has been changed meanwhile"), before[0] if before else None)
        await audit.record(
            ctx,
            "setRequestPolicy",
            community_id=community_id,
            power=Power.SET_REQUEST_POLICIES,
            subject_id=row.id,
            detail=policy_detail(row),
        )
    return row


def policy_detail(row: PolicyRow) -> str:
    return (
        f"{row.code} v{row.version}: {row.office_kind.value}, accept {row.accept_seconds},"
        f" resolve {row.resolve_seconds}, remind {row.remind_seconds}, confirm {row.confirm_seconds},"
        f" reopen {row.reopen_seconds}, {'on' if row.on_board else 'off'} the board"
        f"{', retired' if row.retired else ''}"
    )


def check_setting(code: str, setting: Setting) -> None:
    """Raises InvalidInput for a policy that cannot be kept."""
    if not CODE.fullmatch(code):
        raise InvalidInput(code=Message("2 to 24 capital letters, digits and underscores"))
    if setting.office_kind not in HANDLING:
        raise InvalidInput(officeKind=Message("Handles no service requests"))
    for name, field in SECONDS.items():
        least = requests.MINUTE if name != "reopen_seconds" else 0
        if not least <= getattr(setting, name) <= LONGEST:
            raise InvalidInput(**{field: Message("From a minute to a year")})
    if setting.accept_seconds > setting.resolve_seconds:
        raise InvalidInput(resolveSeconds=Message("Not less than the time to accept"))
    if setting.remind_seconds >= setting.accept_seconds:
        raise InvalidInput(remindSeconds=Message("Less than the time to accept"))
    if setting.confirm_remind_seconds >= setting.confirm_seconds:
        raise InvalidInput(confirmRemindSeconds=Message("Less than the time to confirm"))
