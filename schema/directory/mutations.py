"""What can be done with local services."""

from datetime import date

import strawberry

from models.directory.entries import EntryRow
from models.directory.licences import LicenceRow
from resolvers.directory import entries, licences
from resolvers.directory.entries import EntryDraft, Link
from schema.directory.entries import DirectoryEntry
from schema.directory.hours import OpeningExceptionInput, WeeklyOpeningInput, hours_of
from schema.directory.licences import MerchantLicence
from schema.directory.terms import DirectoryCategory, LicenceKind
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, mutation, payload, shown
from schema.node import key_of, type_and_key
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

PROBLEMS = (InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)


@strawberry.input(description="Where more is found.")
class EntryLinkInput:
    title: str = strawberry.field(description="What is there, 1 to 80 characters.")
    address: str = strawberry.field(description="An address that begins with http:// or https://.")


@strawberry.input(description="What an entry of the directory says.")
class EntryInput:
    category: DirectoryCategory = strawberry.field(description="What kind of service it is.")
    name: str = strawberry.field(description="What it is called, 1 to 80 characters.")
    summary: str = strawberry.field(
        description="What it does, 1 to 1,000 characters. Numbers of documents and bank cards are masked."
    )
    place: str = strawberry.field(default="", description="Where, in words; up to 120 characters.")
    place_id: strawberry.ID | None = strawberry.field(
        default=None, description="The estate or building it is in."
    )
    grid_id: strawberry.ID | None = strawberry.field(
        default=None, description="The grid that it is for, in the category GRID; left out, all."
    )
    phone: str = strawberry.field(default="", description="The office's phone, never a person's.")
    weekly: list[WeeklyOpeningInput] = strawberry.field(
        default_factory=list, description="When it is open in an ordinary week; 6 times a day at most."
    )
    exceptions: list[OpeningExceptionInput] = strawberry.field(
        default_factory=list, description="The dates on which that does not hold, 60 at most."
    )
    steps: list[str] = strawberry.field(
        default_factory=list, description="What to do, in this order; 20 of up to 200 characters."
    )
    documents: list[str] = strawberry.field(
        default_factory=list, description="What to bring; 20 of up to 200 characters."
    )
    links: list[EntryLinkInput] = strawberry.field(
        default_factory=list, description="Where more is found, 20 at most."
    )

    def draft(self) -> EntryDraft:
        """Raises InvalidInput."""
        place = key_of("placeId", self.place_id, "Estate", "Building") if self.place_id else None
        estate = place is not None and (type_and_key(self.place_id or "") or ("",))[0] == "Estate"
        return EntryDraft(
            category=self.category,
            name=self.name,
            summary=self.summary,
            place=self.place,
            estate_id=place if estate else None,
            building_id=None if estate else place,
            grid_id=key_of("gridId", self.grid_id, "Grid") if self.grid_id else None,
            phone=self.phone,
            hours=hours_of(self.weekly, self.exceptions),
            steps=self.steps,
            documents=self.documents,
            links=[Link(link.title, link.address) for link in self.links],
        )


@strawberry.input(description="A new entry.")
class CreateEntryInput:
    organisation_id: strawberry.ID = strawberry.field(description="Who offers it.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    entry: EntryInput = strawberry.field(description="What it says.")


@strawberry.input(description="An entry as it is to be.")
class EditEntryInput:
    entry_id: strawberry.ID = strawberry.field(description="The entry.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    entry: EntryInput = strawberry.field(description="What it says from now on, all of it.")


@strawberry.input(description="Whether the community sees an entry.")
class SetEntryPublishedInput:
    entry_id: strawberry.ID = strawberry.field(description="The entry.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    on: bool = strawberry.field(description="True to publish it, false to withdraw it.")


@payload("The entry is kept.")
class EntryPayload:
    entry: EntryRow = shown(DirectoryEntry, "As it is now.")


EntryResult = Result("EntryResult", EntryPayload, *PROBLEMS, description="What came of keeping an entry.")


@strawberry.input(description="A merchant's licence.")
class SubmitLicenceInput:
    organisation_id: strawberry.ID = strawberry.field(description="The merchant.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    kind: LicenceKind = strawberry.field(description="What it is for.")
    number: str = strawberry.field(
        description="Its number, 6 to 40 letters, digits and hyphens. It is sealed, and shown masked."
    )
    valid_until: date = strawberry.field(description="The last day on which it is valid.")


@strawberry.input(description="What is decided of a licence.")
class DecideLicenceInput:
    licence_id: strawberry.ID = strawberry.field(description="The licence.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    approve: bool = strawberry.field(description="True to approve it, false to refuse it.")
    reason: str = strawberry.field(
        default="", description="Why, for the merchant, up to 300 characters; a refusal needs it."
    )


@strawberry.input(description="Which approval to take back.")
class RevokeLicenceInput:
    licence_id: strawberry.ID = strawberry.field(description="The licence.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    reason: str = strawberry.field(description="Why, for the merchant, 1 to 300 characters.")


@payload("The licence is kept.")
class LicencePayload:
    licence: LicenceRow = shown(MerchantLicence, "As it is now.")


LicenceResult = Result("LicenceResult", LicencePayload, *PROBLEMS, description="What came of a licence.")


@strawberry.input(description="Whose number to see in clear, and why.")
class UnmaskLicenceInput:
    licence_id: strawberry.ID = strawberry.field(description="The licence.")
    reason: str = strawberry.field(description="Why, 4 to 300 characters; it is kept in the audit log.")


@payload("The number in clear; an entry of the audit log says who saw it and why.")
class UnmaskLicencePayload:
    number: str = strawberry.field(description="The number.")


@strawberry.type
class DirectoryMutation:
    @EntryResult.mutation()
    async def create_entry(self, info: Info, input: CreateEntryInput) -> EntryPayload:
        """Write an entry, which only its organisation sees until it is published. For those who keep
        the organisation's entries.
        """
        row = await entries.create(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            draft=input.entry.draft(),
            key=input.idempotency_key,
        )
        return EntryPayload(entry=row)

    @EntryResult.mutation()
    async def edit_entry(self, info: Info, input: EditEntryInput) -> EntryPayload:
        """Replace what an entry says. For those who keep it."""
        row = await entries.edit(
            info.context,
            entry_id=key_of("entryId", input.entry_id, "DirectoryEntry"),
            version=input.version,
            draft=input.entry.draft(),
        )
        return EntryPayload(entry=row)

    @EntryResult.mutation()
    async def set_entry_published(self, info: Info, input: SetEntryPublishedInput) -> EntryPayload:
        """Publish an entry, or withdraw it. A merchant's is seen once a licence of it is approved.
        For those who keep it. Repeating it changes nothing.
        """
        row = await entries.set_published(
            info.context,
            entry_id=key_of("entryId", input.entry_id, "DirectoryEntry"),
            version=input.version,
            on=input.on,
        )
        return EntryPayload(entry=row)

    @LicenceResult.mutation()
    async def submit_licence(self, info: Info, input: SubmitLicenceInput) -> LicencePayload:
        """Bring a merchant's licence before the residents' committee. For those who keep its
        entries; one at a time.
        """
        row = await licences.submit(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            kind=input.kind,
            number=input.number,
            valid_until=input.valid_until,
            key=input.idempotency_key,
        )
        return LicencePayload(licence=row)

    @LicenceResult.mutation()
    async def decide_licence(self, info: Info, input: DecideLicenceInput) -> LicencePayload:
        """Approve or refuse a licence. For those who check licences."""
        row = await licences.decide(
            info.context,
            licence_id=key_of("licenceId", input.licence_id, "MerchantLicence"),
            version=input.version,
            approve=input.approve,
            reason=input.reason,
        )
        return LicencePayload(licence=row)

    @LicenceResult.mutation()
    async def revoke_licence(self, info: Info, input: RevokeLicenceInput) -> LicencePayload:
        """Take back the approval of a licence: what the merchant offers is seen no more. For those
        who check licences.
        """
        row = await licences.revoke(
            info.context,
            licence_id=key_of("licenceId", input.licence_id, "MerchantLicence"),
            version=input.version,
            reason=input.reason,
        )
        return LicencePayload(licence=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def unmask_licence(self, info: Info, input: UnmaskLicenceInput) -> UnmaskLicencePayload:
        """See the number of a licence in clear. For those who check licences; the reason is kept in
        the audit log.
        """
        number = await licences.unmask(
            info.context,
            licence_id=key_of("licenceId", input.licence_id, "MerchantLicence"),
            reason=input.reason,
        )
        return UnmaskLicencePayload(number=number)
