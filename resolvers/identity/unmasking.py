"""Personal data of applicants and residents: masked for officers, in clear with a reason that is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models import privacy
from models.base import now
from models.identity import FORMER_RESIDENTS_KNOWN, ApplicationRow, ApplicationStatus, ResidencyRow
from models.powers import Power, has_power_in
from models.privacy import Keys, mask_document, mask_name
from models.storage.rows import columns, select
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import NotFound
from resolvers.existing import existing
from resolvers.identity.residencies import refusal


@dataclass(slots=True)
class Holder:
    """The sealed part of an account."""

    id: UUID
    phone_sealed: str
    real_name_sealed: str | None
    document_sealed: str | None
    document_index: str | None


@dataclass(slots=True)
class LivedIn:
    account_id: UUID
    community_id: UUID


@dataclass(frozen=True, slots=True)
class UnmaskedPerson:
    """Personal data in clear, for the officer who said why."""

    real_name: str | None
    document_number: str | None
    phone: str | None
    evidence: str | None


async def unmask(
    ctx: Context, *, application_id: UUID | None = None, residency_id: UUID | None = None, reason: str
) -> UnmaskedPerson:
    """The personal data of an applicant or a resident, in clear, and an audit entry that says why.

    Raises NotFound, InvalidInput, NotAllowed.
    """
    reason = check_text("reason", reason, 300, least=4)
    row: ApplicationRow | ResidencyRow
    if application_id:
        row = await existing(ApplicationRow, application_id)
    elif residency_id:
        row = await existing(ResidencyRow, residency_id)
    else:
        raise NotFound
    if not has_power_in(ctx.viewer, row.community_id, Power.UNMASK):
        raise await refusal(ctx, "unmask", row)
    async with ctx.unit_of_work():
        await audit.record(ctx, "unmask", row, power=Power.VERIFY_RESIDENTS, detail=reason)
    (known,) = await known_by([row])
    (holder,) = await holders([row.account_id]) if known else (None,)
    return unmasked(ctx.services.keys, row, holder)


async def known_by(rows: Sequence[ApplicationRow | ResidencyRow]) -> list[bool]:
    """Whether what each account was verified with belongs to the row's community, too; by one statement.

    It does while they apply, live there, or moved out no longer ago than `FORMER_RESIDENTS_KNOWN`. Whoever
    was rejected or withdrew is a stranger again, even if another community verifies them later.
    """
    lived = await select(
        LivedIn,
        "SELECT DISTINCT account_id, community_id FROM residency"
        " WHERE account_id IN (?) AND (until IS NULL OR until > ?)",
        {row.account_id for row in rows},
        now() - FORMER_RESIDENTS_KNOWN,
    )
    there = {(row.account_id, row.community_id) for row in lived}
    return [
        (isinstance(row, ApplicationRow) and row.status is ApplicationStatus.PENDING)
        or (
            (row.account_id, row.community_id) in there
            and (not isinstance(row, ApplicationRow) or row.status is ApplicationStatus.APPROVED)
        )
        for row in rows
    ]


def unmasked(keys: Keys, row: ApplicationRow | ResidencyRow, holder: Holder | None) -> UnmaskedPerson:
    own = row if isinstance(row, ApplicationRow) else None
    name = (own and own.real_name_sealed) or (holder and holder.real_name_sealed)
    document = (own and own.document_sealed) or (holder and holder.document_sealed)
    return UnmaskedPerson(
        real_name=keys.open(privacy.REAL_NAME, name) if name else None,
        document_number=keys.open(privacy.DOCUMENT, document) if document else None,
        phone=keys.open(privacy.PHONE, holder.phone_sealed) if holder else None,
        evidence=keys.open(privacy.EVIDENCE, own.evidence_sealed) if own and own.evidence_sealed else None,
    )


async def masked_names(ctx: Context, rows: Sequence[ApplicationRow | ResidencyRow]) -> list[str | None]:
    """The real name of whom each is about, masked; None where there is none (any more)."""
    sealed = await sealed_of(rows, "real_name_sealed")
    keys = ctx.services.keys
    return [mask_name(keys.open(privacy.REAL_NAME, text)) if text else None for text in sealed]


async def masked_documents(ctx: Context, rows: Sequence[ApplicationRow | ResidencyRow]) -> list[str | None]:
    """The document number of whom each is about, masked; None where there is none (any more)."""
    sealed = await sealed_of(rows, "document_sealed")
    keys = ctx.services.keys
    return [mask_document(keys.open(privacy.DOCUMENT, text)) if text else None for text in sealed]


async def sealed_of(rows: Sequence[ApplicationRow | ResidencyRow], column: str) -> list[str | None]:
    """What an application still holds itself, else what the account was verified with."""
    accounts = dict(
        zip(
            (row.account_id for row in rows),
            await holders([row.account_id for row in rows]),
            strict=True,
        )
    )
    return [
        getattr(row, column, None) or (getattr(accounts[row.account_id], column, None) if known else None)
        for row, known in zip(rows, await known_by(rows), strict=True)
    ]


async def holders(account_ids: Sequence[UUID]) -> list[Holder | None]:
    rows = await select(
        Holder, f"SELECT {columns(Holder)} FROM account t WHERE t.id IN (?)", set(account_ids)
    )
    found = {row.id: row for row in rows}
    return [found.get(id) for id in account_ids]
