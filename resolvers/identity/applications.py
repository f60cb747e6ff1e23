"""Applications for residency: who asks to be known as living where, and who is approved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models import privacy
from models.base import new_id, now
from models.identity import (
    AccountRow,
    ApplicationRow,
    ApplicationStatus,
    Relation,
    ResidencyRow,
    application_visible_to,
    can_decide,
    can_withdraw,
)
from models.messages import Message
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.powers import Power, has_power, has_power_in
from models.privacy import Keys
from models.storage.paging import OLDEST, Page, PageArgs
from models.storage.rows import Where, execute, select, select_ids
from models.storage.tables import by_ids, insert, insert_all, one
from resolvers import audit, retries
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, InvalidInput, NotAllowed
from resolvers.existing import existing, only
from resolvers.identity.addresses import visible_homes_by_id
from resolvers.identity.residencies import refusal
from resolvers.limits import check_rate
from resolvers.notifications import notify
from resolvers.paging import pages
from resolvers.retries import earlier_result
from subscriptions.events import STANDING, Event, Kind
from subscriptions.work import Work

# Enough for every honest application, too few to try out names and numbers against the register.
APPLICATIONS_A_DAY = 20
# Rows a statement; it stays below the databases' limits of parameters.
BATCH = 500


@dataclass(slots=True)
class DecidedApplication:
    """A pending application that the transaction under way has decided."""

    id: UUID
    account_id: UUID
    community_id: UUID
    home_id: UUID
    relation: Relation


@dataclass(slots=True)
class Match:
    """A pending application beside the register's entry for the same home and document."""

    id: UUID
    account_id: UUID
    document_index: str
    applied_name: str
    register_name: str
    relation: Relation


@dataclass(slots=True)
class LivesAt:
    account_id: UUID
    home_id: UUID


# Applying


async def apply(
    ctx: Context,
    *,
    home_id: UUID,
    relation: Relation,
    real_name: str,
    document_number: str,
    evidence: str,
    key: str,
) -> ApplicationRow:
    """Ask to be known as living in a home.

    It is approved at once if the imported register has the same home, name and document, and then
    with the register's relation; but never if another account was verified with that document.
    Raises NotFound, InvalidInput, RateLimited, and Conflict for whoever lives there or has applied.
    """
    account_id = ctx.account_id
    name = check_text("realName", real_name, 60, least=2)
    document = check_document("documentNumber", document_number)
    evidence = check_text("evidence", evidence, 2000, least=0)
    home = only(await visible_homes_by_id(ctx, [home_id]))
    keys = ctx.services.keys
    index = keys.index(privacy.DOCUMENT, document)
    await check_rate(ctx, "applyForResidency", APPLICATIONS_A_DAY, 86_400)
    application_id = new_id()
    async with ctx.unit_of_work() as work:
        # The account's row lock: of two applications at a time the second sees the first.
        (known,) = await execute(
            "UPDATE account SET display_name = display_name WHERE id = ? RETURNING document_index", account_id
        )
        body = [home_id, relation, name, document, evidence]
        earlier = await earlier_result(ctx, key, "applyForResidency", body, application_id)
        if earlier is None:
            if known["document_index"] not in (None, index):
                raise InvalidInput(
                    documentNumber=Message("Is not the document that this account was verified with")
                )
            await check_unknown_at(account_id, home_id)
            await insert(
                ApplicationRow(
                    id=application_id,
                    community_id=home.community_id,
                    account_id=account_id,
                    home_id=home_id,
                    relation=relation,
                    real_name_sealed=keys.seal(privacy.REAL_NAME, name),
                    document_sealed=keys.seal(privacy.DOCUMENT, document),
                    document_index=index,
                    evidence_sealed=keys.seal(privacy.EVIDENCE, evidence) if evidence else None,
                )
            )
            await admit_registered(work, ctx, Where("p.id = ?", (application_id,)), decided_by=None)
    return await application(earlier or application_id)


async def check_unknown_at(account_id: UUID, home_id: UUID) -> None:
    """Raises Conflict if the account lives in the home or has applied for it."""
    pending = await one(
        ApplicationRow,
        Where("t.account_id = ? AND t.home_id = ? AND t.status = 'PENDING'", (account_id, home_id)),
    )
    if pending:
        raise Conflict(Message("You have applied for this home already"), pending)
    lived_in = await one(
        ResidencyRow, Where("t.account_id = ? AND t.home_id = ? AND t.until IS NULL", (account_id, home_id))
    )
    if lived_in:
        raise Conflict(Message("You live in this home already"), lived_in)


async def withdraw(ctx: Context, *, application_id: UUID) -> ApplicationRow:
    """Take an own application back; what was sealed in it is deleted.

    Raises NotFound, NotAllowed, and Conflict once it is decided.
    """
    row = await application_for(ctx, application_id, "withdrawApplication")
    if not can_withdraw(ctx.viewer, row):
        raise NotAllowed
    async with ctx.unit_of_work():
        claimed = await decide_pending(
            Where("id = ?", (row.id,)), ApplicationStatus.WITHDRAWN, decided_by=ctx.account_id
        )
        await forget(claimed)
    if not claimed and row.status is not ApplicationStatus.WITHDRAWN:
        raise Conflict(Message("It has been decided already"), row)
    return await application(row.id)


# Deciding


async def approve(ctx: Context, *, application_id: UUID, version: int) -> ApplicationRow:
    """Approve an application: the applicant is a verified resident from now on.

    Raises NotFound, NotAllowed, and Conflict if it is decided or has changed since `version`.
    """
    row = await application_to_decide(ctx, application_id, "approveResidency")
    async with ctx.unit_of_work() as work:
        which = Where("id = ? AND version = ?", (row.id, version))
        if not await admit(work, ctx, which, decided_by=ctx.account_id):
            raise Conflict(Message("It has been decided or has changed meanwhile"), row)
        await audit.record(ctx, "approveResidency", row, power=Power.VERIFY_RESIDENTS)
    return await application(row.id)


async def reject(ctx: Context, *, application_id: UUID, version: int, reason: str) -> ApplicationRow:
    """Reject an application, telling the applicant why.

    Raises NotFound, NotAllowed, InvalidInput, and Conflict if it is decided or has changed since
    `version`.
    """
    row = await application_to_decide(ctx, application_id, "rejectResidency")
    reason = check_text("reason", reason, 500)
    async with ctx.unit_of_work() as work:
        claimed = await decide_pending(
            Where("id = ? AND version = ?", (row.id, version)),
            ApplicationStatus.REJECTED,
            decided_by=ctx.account_id,
            reason=reason,
        )
        if not claimed:
            raise Conflict(Message("It has been decided or has changed meanwhile"), row)
        await forget(claimed)
        await notify_applicants(work, ctx, claimed)
        await audit.record(ctx, "rejectResidency", row, power=Power.VERIFY_RESIDENTS)
    return await application(row.id)


async def admit_registered(work: Work, ctx: Context, which: Where, *, decided_by: UUID | None) -> int:
    """Approve the pending applications among `which` (of alias ``p``) that the register knows."""
    matches = await select(
        Match,
        "SELECT p.id, p.account_id, p.document_index, p.real_name_sealed AS applied_name,"
        " e.real_name_sealed AS register_name, e.relation FROM residency_application p"
        " JOIN household_entry e ON e.home_id = p.home_id AND e.document_index = p.document_index"
        " JOIN account own ON own.id = p.account_id"
        # Names and numbers leak; a phone that the committee knows must be the applicant's.
        " AND (e.phone_index IS NULL OR e.phone_index = own.phone_index)"
        f" WHERE p.status = 'PENDING' AND ({which.text}) AND NOT EXISTS (SELECT 1 FROM account a"
        " WHERE a.document_index = p.document_index AND a.id <> p.account_id"
        " OR a.id = p.account_id AND a.document_index <> p.document_index)",
        *which.params,
    )
    applicants: dict[str, set[UUID]] = {}
    for match in matches:
        applicants.setdefault(match.document_index, set()).add(match.account_id)
    relations = {
        match.id: match.relation
        for match in matches
        if same_name(ctx.services.keys, match) and len(applicants[match.document_index]) == 1
    }
    if not relations:
        return 0
    admitted = await admit(
        work, ctx, Where("id IN (?)", (list(relations),)), decided_by=decided_by, relations=relations
    )
    return len(admitted)


def same_name(keys: Keys, match: Match) -> bool:
    applied = privacy.normal_name(keys.open(privacy.REAL_NAME, match.applied_name))
    return applied == privacy.normal_name(keys.open(privacy.REAL_NAME, match.register_name))


async def admit(
    work: Work,
    ctx: Context,
    which: Where,
    *,
    decided_by: UUID | None,
    relations: Mapping[UUID, Relation] | None = None,
) -> list[DecidedApplication]:
    """Approve the pending applications that `which` names, in the caller's transaction.

    The account keeps the sealed name and document, the application does not. Returns what was
    approved; `relations` are the register's, which go before the applicants'. Raises Conflict for an
    account that was verified with another document meanwhile: one account is one person.
    """
    claimed = await decide_pending(which, ApplicationStatus.APPROVED, decided_by=decided_by)
    if not claimed:
        return []
    verified = await select_ids(
        "UPDATE account SET real_name_sealed = p.real_name_sealed, document_sealed = p.document_sealed,"
        " document_index = p.document_index FROM residency_application p"
        " WHERE p.account_id = account.id AND p.id IN (?)"
        " AND (account.document_index IS NULL OR account.document_index = p.document_index)"
        " RETURNING account.id",
        [item.id for item in claimed],
    )
    if set(verified) != set(accounts_in(claimed)):
        row = await application(claimed[0].id)
        raise Conflict(Message("The account was verified with another document"), row)
    await forget(claimed)
    for item in claimed:
        item.relation = (relations or {}).get(item.id, item.relation)
    await move_in(claimed, approved_by=decided_by)
    work.record(*(Event(STANDING, Kind.STANDING_CHANGED, account_id) for account_id in accounts_in(claimed)))
    await notify_applicants(work, ctx, claimed)
    return claimed


async def decide_pending(
    which: Where, status: ApplicationStatus, *, decided_by: UUID | None, reason: str = ""
) -> list[DecidedApplication]:
    """Decide the pending applications that `which` names; of two deciders one gets each."""
    return await select(
        DecidedApplication,
        "UPDATE residency_application SET status = ?, decided_at = ?, decided_by_id = ?, reason = ?,"
        f" version = version + 1 WHERE ({which.text}) AND status = 'PENDING'"
        " RETURNING id, account_id, community_id, home_id, relation",
        status,
        now(),
        decided_by,
        reason,
        *which.params,
    )


async def forget(claimed: Sequence[DecidedApplication]) -> None:
    """Delete what decided applications held of personal data."""
    await execute(
        "UPDATE residency_application SET real_name_sealed = NULL, document_sealed = NULL,"
        " document_index = NULL, evidence_sealed = NULL WHERE id IN (?)",
        [item.id for item in claimed],
    )
    await retries.forget(accounts_in(claimed), [item.id for item in claimed])


async def move_in(claimed: Sequence[DecidedApplication], *, approved_by: UUID | None) -> None:
    """Open a residency for each, except for who lives there already."""
    current = await select(
        LivesAt,
        "SELECT account_id, home_id FROM residency WHERE until IS NULL AND account_id IN (?)",
        accounts_in(claimed),
    )
    there = {(row.account_id, row.home_id) for row in current}
    new = [item for item in claimed if (item.account_id, item.home_id) not in there]
    await insert_all(
        [
            ResidencyRow(
                community_id=item.community_id,
                account_id=item.account_id,
                home_id=item.home_id,
                relation=item.relation,
                approved_by_id=approved_by,
            )
            for item in new
        ]
    )


def accounts_in(claimed: Sequence[DecidedApplication]) -> list[UUID]:
    return list(dict.fromkeys(item.account_id for item in claimed))


async def notify_applicants(work: Work, ctx: Context, claimed: Sequence[DecidedApplication]) -> None:
    """Put the decision into each applicant's inbox."""
    for item in claimed:
        await notify(work, ctx, NotificationKind.RESIDENCY, [item.account_id], item)


async def application_for(ctx: Context, application_id: UUID, action: str) -> ApplicationRow:
    """The application, if the viewer may see it.

    Raises NotFound; but to who holds another office in its community NotAllowed, which is audited.
    """
    account_id = ctx.account_id
    row = await existing(ApplicationRow, application_id)
    if row.account_id == account_id or has_power_in(ctx.viewer, row.community_id, Power.VERIFY_RESIDENTS):
        return row
    raise await refusal(ctx, action, row)


async def application_to_decide(ctx: Context, application_id: UUID, action: str) -> ApplicationRow:
    row = await application_for(ctx, application_id, action)
    if not can_decide(ctx.viewer, row):
        raise await audit.refuse(ctx, action, Message("Nobody decides on their own application"), row)
    return row


# Reading


async def application(application_id: UUID) -> ApplicationRow:
    return await existing(ApplicationRow, application_id)


async def applications_by_id(ctx: Context, ids: Sequence[UUID]) -> list[ApplicationRow | None]:
    """The applications with these ids that the viewer may see."""
    return await by_ids(ApplicationRow, ids, application_visible_to(ctx.viewer))


async def applications_of_accounts(
    ctx: Context, accounts: Sequence[AccountRow], args: PageArgs
) -> list[Page[ApplicationRow]]:
    """What each account applied for, the newest first."""
    ids = [account.id for account in accounts]
    return await pages(ApplicationRow, ids, by="account_id", args=args)


async def check_may_see(ctx: Context, organisation: OrganisationRow) -> None:
    """Raises NotAllowed, and keeps the attempt, if the viewer does not verify residents for it."""
    if not has_power(ctx.viewer, organisation.id, Power.VERIFY_RESIDENTS):
        raise await audit.refuse(
            ctx,
            "residencyApplications",
            Message("Only officers of the residents' committee may see applications"),
            organisation,
        )


async def applications_of(
    ctx: Context, organisations: Sequence[OrganisationRow], status: ApplicationStatus | None, args: PageArgs
) -> list[Page[ApplicationRow]]:
    """The applications that each organisation may decide, the oldest first.

    Raises InvalidInput, NotAllowed, and keeps the attempt, if the viewer does not verify residents for one
    of them.
    """
    for organisation in organisations:
        await check_may_see(ctx, organisation)
    await audit.note_reading(ctx, "residencyApplications", organisations)
    return await pages(
        ApplicationRow,
        [organisation.community_id for organisation in organisations],
        by="community_id",
        args=args,
        where=application_visible_to(ctx.viewer)
        & (Where("t.status = ?", (status,)) if status else Where("1 = 1")),
        order=OLDEST,
    )


def check_document(field: str, number: str) -> str:
    """The document's number in its normal spelling. Raises InvalidInput."""
    try:
        return privacy.normal_document(number)
    except privacy.Misspelt as error:
        raise InvalidInput(**{field: error.message}) from error
