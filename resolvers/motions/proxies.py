"""Proxies: who votes for an owner, on evidence that an officer has looked at."""

from uuid import UUID

from models.base import new_id, now
from models.messages import Message
from models.motions import MotionPhase, MotionRow, ProxyRow, ProxyStatus, RulesRow
from models.privacy import EVIDENCE
from models.storage.rows import Where, execute
from models.storage.tables import insert, update
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, only
from resolvers.identity import homes_by_id
from resolvers.motions import electorate, paper, reading
from resolvers.retries import earlier_result


async def request(ctx: Context, *, motion_id: UUID, home_id: UUID, evidence: str, key: str) -> ProxyRow:
    """Ask to cast the ballot of a home's owners, with what shows that they want it so.

    For the whole head: whoever votes for one home of an owner votes for all. Raises InvalidInput, NotFound,
    NotAllowed, Conflict.
    """
    account_id = ctx.account_id
    motion = await reading.visible(ctx, motion_id)
    evidence = check_text("evidence", evidence, 2000)
    if not (await existing(RulesRow, motion.rules_id)).proxies_allowed:
        raise NotAllowed(Message("The rules of this vote allow no proxies"))
    check_time(motion)
    (home,) = await homes_by_id(ctx, [home_id])
    if home is None or home_id not in {row.home_id for row in await electorate.homes_in_scope(motion)}:
        raise InvalidInput(homeId=Message("This home has no vote in this motion"))
    proxy_id = new_id()
    async with ctx.unit_of_work():
        earlier = await earlier_result(ctx, key, "requestProxy", [motion_id, home_id, evidence], proxy_id)
        if earlier is None:
            await insert(
                ProxyRow(
                    id=proxy_id,
                    community_id=motion.community_id,
                    motion_id=motion.id,
                    home_id=home_id,
                    account_id=account_id,
                    evidence_sealed=ctx.services.keys.seal(EVIDENCE, evidence),
                )
            )
    return await existing(ProxyRow, earlier or proxy_id)


async def decide(ctx: Context, *, proxy_id: UUID, approve: bool, reason: str) -> ProxyRow:
    """Approve or reject a proxy; nobody decides the own one.

    Raises InvalidInput, NotFound, NotAllowed, and Conflict if somebody has.
    """
    found = await visible(ctx, proxy_id)
    motion = await paper.motion_to_count(ctx, found.motion_id, "decideProxy")
    reason = check_text("reason", reason, 500, least=0 if approve else 1)
    if found.account_id == ctx.account_id or await owns(ctx.account_id, found.home_id):
        raise await audit.refuse(
            ctx, "decideProxy", Message("Nobody decides a proxy of their own"), motion, subject_id=found.id
        )
    check_time(motion)
    status = ProxyStatus.APPROVED if approve else ProxyStatus.REJECTED
    async with ctx.unit_of_work():
        await change(found, [ProxyStatus.PENDING], status, ctx.account_id, reason)
        await audit.record(
            ctx, "decideProxy", motion, subject_id=found.id, detail=f"{status.value} {reason}".strip()
        )
    return await existing(ProxyRow, found.id)


async def revoke(ctx: Context, *, proxy_id: UUID) -> ProxyRow:
    """End a proxy: by an owner of the home, by the proxy, or by an officer. What it cast stays cast.

    Raises NotFound, NotAllowed, Conflict.
    """
    found = await visible(ctx, proxy_id)
    motion = await reading.motion(found.motion_id)
    if found.account_id != ctx.account_id and not await owns(ctx.account_id, found.home_id):
        motion = await paper.motion_to_count(ctx, found.motion_id, "revokeProxy")
    async with ctx.unit_of_work():
        await change(
            found, [ProxyStatus.PENDING, ProxyStatus.APPROVED], ProxyStatus.REVOKED, ctx.account_id, ""
        )
        await audit.record(ctx, "revokeProxy", motion, subject_id=found.id)
    return await existing(ProxyRow, found.id)


async def evidence_of(ctx: Context, *, proxy_id: UUID, reason: str) -> str:
    """What a proxy was asked for on, in clear; who read it, and why, is kept.

    Raises InvalidInput, NotFound, NotAllowed.
    """
    found = await visible(ctx, proxy_id)
    motion = await paper.motion_to_count(ctx, found.motion_id, "readProxyEvidence")
    reason = check_text("reason", reason, 500)
    async with ctx.unit_of_work():
        await audit.record(ctx, "readProxyEvidence", motion, subject_id=found.id, detail=reason)
    return ctx.services.keys.open(EVIDENCE, found.evidence_sealed)


def check_time(motion: MotionRow) -> None:
    if reading.phase(motion) not in (MotionPhase.ANNOUNCED, MotionPhase.OPEN):
        raise NotAllowed(Message("Proxies are dealt with from the announcement to the close"))


async def change(row: ProxyRow, before: list[ProxyStatus], after: ProxyStatus, by: UUID, reason: str) -> None:
    changed = await update(
        ProxyRow,
        Where("id = ? AND status IN (?)", (row.id, before)),
        status=after,
        decided_by_id=by,
        decided_at=now(),
        reason=reason,
    )
    if not changed:
        raise Conflict(Message("It was decided meanwhile"), row)


async def owns(account_id: UUID, home_id: UUID) -> bool:
    return bool(
        await execute(
            "SELECT id FROM residency WHERE account_id = ? AND home_id = ? AND until IS NULL"
            " AND relation IN (?)",
            account_id,
            home_id,
            electorate.OWNERS,
        )
    )


async def visible(ctx: Context, proxy_id: UUID) -> ProxyRow:
    _ = ctx.account_id
    return only(await reading.proxies_by_ids(ctx, [proxy_id]))
