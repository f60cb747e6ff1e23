"""What was done in a group: the append-only record, and how it is told."""

from collections.abc import Iterable
from uuid import UUID

from models.base import new_id
from models.groups import GroupAction, GroupRow, GroupStepRow, JoinRequestRow
from models.memberships import MemberRole, moderators_of
from models.notifications import NotificationKind
from models.storage.tables import insert
from resolvers.context import Context
from resolvers.notifications import notify
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work


async def record(
    work: Work,
    ctx: Context,
    group: GroupRow,
    action: GroupAction,
    *,
    account_id: UUID | None = None,
    role: MemberRole | None = None,
    reason: str = "",
    told: Iterable[UUID] = (),
) -> None:
    """Keep what the viewer does in a group, in the caller's transaction, and tell these accounts."""
    step_id = new_id()
    await insert(
        GroupStepRow(
            id=step_id,
            community_id=group.community_id,
            group_id=group.id,
            action=action,
            actor_id=ctx.account_id,
            account_id=account_id,
            role=role,
            group_name=group.name,
            reason=reason,
        )
    )
    await notify(
        work, ctx, NotificationKind.GROUP_STEP, told, group, subject_id=step_id, actor_id=ctx.account_id
    )


def group_changed(group: GroupRow) -> Event:
    """That a group is another, or has more or fewer in it."""
    return event(Kind.GROUP_CHANGED, group, group.id, frozenset({group.scope_id}))


def join_request_changed(group: GroupRow, request: JoinRequestRow) -> Event:
    """That somebody has asked to join, or that this is decided: for those who decide and who asked."""
    audience = frozenset({moderators_of(group.id), request.account_id})
    return event(Kind.JOIN_REQUEST_CHANGED, group, request.id, audience)


def event(kind: Kind, group: GroupRow, subject: UUID, audience: frozenset[UUID]) -> Event:
    return event_about(kind, group, audience, subject=subject, thread=group.id, facts={"wall": str(group.id)})
