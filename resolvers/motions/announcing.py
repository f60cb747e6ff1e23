"""Opening a vote: the electorate is frozen as it stood at the announced hour, and the box begins."""

from datetime import timedelta
from uuid import UUID

from models.base import new_id, now
from models.deliberations import ExecutionKind
from models.motions import MotionRow, MotionStatus, RulesRow, ScopeKind
from models.notices import AudienceKind, NoticeCategory, Severity
from models.notifications import NotificationKind
from models.roles import OrganisationKind
from models.storage.rows import execute, select_ids
from models.visibility import Viewer
from resolvers import notifications
from resolvers.context import Context, Services
from resolvers.deliberations import executions
from resolvers.existing import existing, locked, only
from resolvers.identity import organisations_by_id
from resolvers.jobs import does, schedule
from resolvers.motions import ballot_box, electorate, reading
from resolvers.notices import audiences, publishing
from resolvers.notices.audiences import Place
from subscriptions.events import Event, Kind, event_about
from subscriptions.work import Work

OPEN_MOTION = "OPEN_MOTION"
CLOSE_MOTION = "CLOSE_MOTION"
# A ballot is timely if its transaction began before the close. Those that did have so long to end.
SETTLE = timedelta(seconds=3)


@does(OPEN_MOTION)
async def open_when_due(services: Services, work: Work, motion_id: UUID) -> None:
    """Open the motion at its hour, unless a ballot was quicker."""
    motion = await locked(MotionRow, motion_id)
    if motion.status is not MotionStatus.ANNOUNCED:
        return
    if await ballot_box.begun_at() < motion.opens_at:
        await schedule(OPEN_MOTION, motion.id, motion.opens_at + timedelta(seconds=1))
        return
    await open_now(services, work, motion)


async def open_now(services: Services, work: Work, motion: MotionRow) -> MotionRow:
    """Open the locked motion. Who owned a home at `opens_at` votes, whenever this runs."""
    frozen = await electorate.freeze(motion)
    (items,) = await reading.items([motion.id])
    header = ballot_box.header(motion, await existing(RulesRow, motion.rules_id), items, frozen.hash)
    await execute(
        "UPDATE motion SET status = ?, opened_at = ?, heads = ?, area_cm2 = ?, snapshot = ?,"
        " snapshot_hash = ?,"
        " last_hash = ?, version = version + 1 WHERE id = ? RETURNING id",
        MotionStatus.OPEN,
        now(),
        frozen.heads,
        frozen.area,
        frozen.snapshot,
        frozen.hash,
        ballot_box.digest(ballot_box.canonical(header)),
        motion.id,
    )
    await notifications.notify(
        work, speaking_for(services, motion), NotificationKind.MOTION, frozen.voters, motion
    )
    work.record(event(Kind.MOTION_OPENED, motion))
    await executions.link_changed(work, ExecutionKind.MOTION, motion.id)
    return await reading.motion(motion.id)


def event(kind: Kind, motion: MotionRow) -> Event:
    return event_about(kind, motion, {motion.community_id}, thread=motion.id)


def speaking_for(services: Services, motion: MotionRow) -> Context:
    """A context for scheduled work, which acts in the name of who put the motion."""
    return Context(services, Viewer(account_id=motion.author_id))


async def tell_voters(work: Work, motion: MotionRow, elector_id: UUID) -> None:
    """Put the motion anew, and unread, into the inboxes of a head's owners."""
    accounts = await select_ids(
        "UPDATE notification SET read_at = NULL WHERE subject_id = ? AND account_id IN"
        " (SELECT account_id FROM elector_voter WHERE elector_id = ?) RETURNING account_id",
        motion.id,
        elector_id,
    )
    if accounts:
        work.record(
            event_about(
                Kind.NOTIFICATION_ADDED, motion, accounts, facts={"kind": NotificationKind.MOTION.value}
            )
        )


async def counting_offices(motion: MotionRow) -> frozenset[UUID]:
    """The organisations whose officers count ballots in the motion's community."""
    offices = await select_ids(
        "SELECT id FROM organisation WHERE community_id = ? AND kind IN (?)",
        motion.community_id,
        [OrganisationKind.OWNERS_COMMITTEE, OrganisationKind.RESIDENTS_COMMITTEE],
    )
    return frozenset(offices)


async def publish(work: Work, ctx: Context, motion: MotionRow, title: str, body: str) -> UUID:
    """Send a notice about the motion to all homes in its scope, in the caller's transaction; its id.

    Raises InvalidInput, NotFound.
    """
    organisation = only(await organisations_by_id(ctx, [motion.organisation_id]))
    notice_id = new_id()
    scopes = await audiences.check_audience(organisation, places(motion), notice_id)
    draft = publishing.NoticeDraft(
        category=NoticeCategory.GENERAL, severity=Severity.IMPORTANT, title=title[:80], body=body[:5000]
    )
    homes = await audiences.targets(organisation.community_id, scopes)
    await publishing.send(
        work, ctx, notice_id, organisation, draft, scopes, homes, Kind.NOTICE_PUBLISHED, draft.severity
    )
    return notice_id


def places(motion: MotionRow) -> list[Place]:
    if motion.scope_kind is ScopeKind.COMMUNITY:
        return [Place(AudienceKind.COMMUNITY, motion.community_id)]
    kind = AudienceKind.ESTATE if motion.scope_kind is ScopeKind.ESTATE else AudienceKind.BUILDING
    return [Place(kind, UUID(text)) for text in motion.scope_ids]
