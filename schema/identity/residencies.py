"""Residency: applications, decisions, the imported register, and moving out."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.identity import (
    ApplicationRow,
    ApplicationStatus,
    HouseholdImportRow,
    Relation,
    ResidencyRow,
)
from models.messages import Message
from resolvers.errors import InvalidInput as InvalidInputError
from resolvers.identity import applications, register, unmasking
from resolvers.identity import residencies as living
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity.neighbours import Neighbour
from schema.links import Home
from schema.mutations import mutation, payload, shown
from schema.node import Node, fetched_by, key_of, type_and_key
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

described(
    Relation,
    "How a person belongs to a home.",
    OWNER="业主: owns it.",
    CO_OWNER="共有人: owns it together with others.",
    FAMILY="家属: lives there with the owner or tenant.",
    TENANT="租户: rents it.",
)
described(
    ApplicationStatus,
    "How far an application for residency has come.",
    PENDING="The committee has not decided yet.",
    APPROVED="The applicant is a verified resident.",
    REJECTED="The committee has said no, and why.",
    WITHDRAWN="The applicant has taken it back.",
)

StatusArg = Annotated[ApplicationStatus | None, strawberry.argument(description="Only those so far.")]


@fetched_by(living.residencies_by_id)
@strawberry.type(description="That somebody lives or lived in a home; for the resident and the committee.")
class Residency(Node):
    home: Home = loaded(living.homes_in, description="Where.")
    relation: Relation = strawberry.field(description="How the resident belongs to it.")
    since: datetime = strawberry.field(description="Since when.")
    until: datetime | None = strawberry.field(description="Until when; null for who lives there now.")
    neighbour: Neighbour = loaded(living.persons_in, description="Who, as neighbours know them.")
    masked_name: str | None = loaded(unmasking.masked_names, description="The real name, as in `张**`.")

    is_type_of = IsA(ResidencyRow)


@fetched_by(applications.applications_by_id)
@strawberry.type(
    description="That somebody asks to be known as living in a home; for the applicant and the committee."
)
class ResidencyApplication(Node):
    home: Home = loaded(living.homes_in, description="Where.")
    relation: Relation = strawberry.field(description="How the applicant says to belong to it.")
    status: ApplicationStatus = strawberry.field(description="How far it has come.")
    applicant: Neighbour = loaded(living.persons_in, description="Who, as neighbours know them.")
    masked_name: str | None = loaded(
        unmasking.masked_names, description="The real name, as in `张**`; null when it is known no more."
    )
    masked_document: str | None = loaded(
        unmasking.masked_documents, description="The document's number, masked; null when known no more."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    decided_at: datetime | None = strawberry.field(description="When it was decided or withdrawn.")
    reason: str = strawberry.field(description="Why it was rejected; empty otherwise.")
    version: int = strawberry.field(description="Pass it with a decision, so that none overwrites another.")

    @strawberry.field(description="Whether evidence is kept with it. A decision deletes the evidence.")
    @staticmethod
    def has_evidence(root: strawberry.Parent[ApplicationRow]) -> bool:
        return root.evidence_sealed is not None

    is_type_of = IsA(ApplicationRow)


@strawberry.type(description="A line of an imported file that could not be accepted.")
class HouseholdImportProblem:
    line: int = strawberry.field(description="Its number in the file; the header is line 1.")
    column: str | None = strawberry.field(description="The column at fault.")
    message: str = strawberry.field(description="What is wrong; never what is in the file.")


@fetched_by(register.visible_imports_by_id)
@strawberry.type(description="What became of an imported household register.")
class HouseholdImport(Node):
    rows_read: int = strawberry.field(description="Lines in the file, without header and empty ones.")
    imported: int = strawberry.field(description="Lines that changed the register.")
    unchanged: int = strawberry.field(description="Lines that the register had already.")
    homes_added: int = strawberry.field(description="Homes that were not known before.")
    approved: int = strawberry.field(description="Pending applications that the register now confirms.")
    created_at: datetime = strawberry.field(description="When it was imported.")

    @strawberry.field(description="The other lines, at most 1,000.")
    @staticmethod
    def problems(root: strawberry.Parent[HouseholdImportRow], info: Info) -> list[HouseholdImportProblem]:
        return [
            HouseholdImportProblem(
                line=problem["line"],
                column=problem["column"],
                message=Message(problem["message"], **problem["values"]).in_language(info.context.language),
            )
            for problem in root.problems
        ]

    is_type_of = IsA(HouseholdImportRow)


@strawberry.type
class ViewerResidencies:
    """What residency adds to the viewer."""

    residencies: Connection[Residency] = connection(
        living.residencies_of, description="Where the account lives and lived, the newest first."
    )
    residency_applications: Connection[ResidencyApplication] = connection(
        applications.applications_of_accounts, description="What the account applied for, the newest first."
    )


def with_status(status: StatusArg = ApplicationStatus.PENDING) -> tuple[ApplicationStatus | None]:
    return (status,)


@strawberry.type
class OrganisationApplications:
    """What residency adds to an organisation."""

    residency_applications: Connection[ResidencyApplication] | None = connection(
        applications.applications_of,
        arguments=with_status,
        viewer=True,
        check=applications.check_may_see,
        description="The applications that wait for the residents' committee or that it decided, the oldest"
        " first. For its officers; an error and null for everyone else, whose asking is kept in the audit"
        " log.",
    )


@strawberry.type
class HomeResidents:
    """What residency adds to a home."""

    residents: Connection[Residency] | None = connection(
        living.residents_of,
        viewer=True,
        description="Who lives there now; null for everyone but officers of the residents' committee.",
    )


@strawberry.input(description="Who asks to be known as living where.")
class ApplyForResidencyInput:
    home_id: strawberry.ID = strawberry.field(description="The home.")
    relation: Relation = strawberry.field(description="How the applicant belongs to it.")
    real_name: str = strawberry.field(description="The name in the document, 2 to 60 characters.")
    document_number: str = strawberry.field(
        description="A Chinese identity number, or another document's number of 5 to 20 letters and digits."
    )
    evidence: str = strawberry.field(
        default="", description="What the committee can check, as a deed's number; up to 2,000 characters."
    )
    idempotency_key: str = strawberry.field(description="Repeating the call with it changes nothing.")


@payload("The application is with the committee, or already approved by its register.")
class ApplyForResidencyPayload:
    application: ApplicationRow = shown(ResidencyApplication, "As it is now.")


@strawberry.input(description="Which application to take back.")
class WithdrawApplicationInput:
    application_id: strawberry.ID = strawberry.field(description="The application.")


@payload("The application is taken back.")
class WithdrawApplicationPayload:
    application: ApplicationRow = shown(ResidencyApplication, "As it is now.")


@strawberry.input(description="Which application to approve.")
class ApproveResidencyInput:
    application_id: strawberry.ID = strawberry.field(description="The application.")
    version: int = strawberry.field(description="The version that was looked at.")


@payload("The applicant is a verified resident.")
class ApproveResidencyPayload:
    application: ApplicationRow = shown(ResidencyApplication, "As it is now.")


@strawberry.input(description="Which application to reject, and why.")
class RejectResidencyInput:
    application_id: strawberry.ID = strawberry.field(description="The application.")
    version: int = strawberry.field(description="The version that was looked at.")
    reason: str = strawberry.field(description="Why, for the applicant; up to 500 characters.")


@payload("The application is rejected.")
class RejectResidencyPayload:
    application: ApplicationRow = shown(ResidencyApplication, "As it is now.")


@strawberry.input(description="Who has moved out.")
class MoveOutInput:
    residency_id: strawberry.ID = strawberry.field(description="The residency that ends.")


@payload("The residency has ended, and the rights that came with it.")
class MoveOutPayload:
    residency: ResidencyRow = shown(Residency, "As it is now.")


@strawberry.input(description="Whose personal data to show, and what for.")
class UnmaskInput:
    subject_id: strawberry.ID = strawberry.field(description="An application's or a residency's id.")
    reason: str = strawberry.field(description="Kept in the audit log; 4 to 300 characters.")


@payload("Personal data in clear. Do not keep it.")
class UnmaskPayload:
    real_name: str | None = strawberry.field(description="The real name, if it is known.")
    document_number: str | None = strawberry.field(description="The document's number, if it is known.")
    phone: str | None = strawberry.field(description="The phone, if the account still exists.")
    evidence: str | None = strawberry.field(description="The evidence, of an application not yet decided.")


@strawberry.input(description="A household register to take in.")
class ImportHouseholdsInput:
    organisation_id: strawberry.ID = strawberry.field(description="The residents' committee.")
    csv: str = strawberry.field(
        description="CSV of at most 1 MiB with the columns 小区, 楼栋, 单元, 房号, 面积 (square metres, at"
        " most four decimals), 姓名, 证件号, 手机号, 关系 (业主, 共有人, 家属, 租户), or estate, building,"
        " unit, number, area, name, document, phone, relation. A home without name and document has no known"
        " resident."
    )
    idempotency_key: str = strawberry.field(description="Repeating the call with it changes nothing.")


@payload("The good lines of the file are in the register.")
class ImportHouseholdsPayload:
    household_import: HouseholdImportRow = shown(HouseholdImport, "What became of the lines.")


@strawberry.type
class ResidenciesMutation:
    @mutation(InvalidInput, NotFound, Conflict, RateLimited, result="What `applyForResidency` answers.")
    async def apply_for_residency(
        self, info: Info, input: ApplyForResidencyInput
    ) -> ApplyForResidencyPayload:
        """Ask to be known as living in a home. The committee decides, or its register does."""
        row = await applications.apply(
            info.context,
            home_id=key_of("homeId", input.home_id, "Home"),
            relation=input.relation,
            real_name=input.real_name,
            document_number=input.document_number,
            evidence=input.evidence,
            key=input.idempotency_key,
        )
        return ApplyForResidencyPayload(application=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, result="What `withdrawApplication` answers.")
    async def withdraw_application(
        self, info: Info, input: WithdrawApplicationInput
    ) -> WithdrawApplicationPayload:
        """Take an own application back before it is decided."""
        key = key_of("applicationId", input.application_id, "ResidencyApplication")
        row = await applications.withdraw(info.context, application_id=key)
        return WithdrawApplicationPayload(application=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, result="What `approveResidency` answers.")
    async def approve_residency(self, info: Info, input: ApproveResidencyInput) -> ApproveResidencyPayload:
        """Verify an applicant. For officers of the residents' committee."""
        key = key_of("applicationId", input.application_id, "ResidencyApplication")
        row = await applications.approve(info.context, application_id=key, version=input.version)
        return ApproveResidencyPayload(application=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, result="What `rejectResidency` answers.")
    async def reject_residency(self, info: Info, input: RejectResidencyInput) -> RejectResidencyPayload:
        """Reject an application. For officers of the residents' committee."""
        row = await applications.reject(
            info.context,
            application_id=key_of("applicationId", input.application_id, "ResidencyApplication"),
            version=input.version,
            reason=input.reason,
        )
        return RejectResidencyPayload(application=row)

    @mutation(InvalidInput, NotFound, NotAllowed, result="What `moveOut` answers.")
    async def move_out(self, info: Info, input: MoveOutInput) -> MoveOutPayload:
        """Record that a resident has moved out. For the resident and the residents' committee."""
        key = key_of("residencyId", input.residency_id, "Residency")
        row = await living.move_out(info.context, residency_id=key)
        return MoveOutPayload(residency=row)

    @mutation(InvalidInput, NotFound, NotAllowed, result="What `unmask` answers.")
    async def unmask(self, info: Info, input: UnmaskInput) -> UnmaskPayload:
        """Show the personal data of an applicant or a resident. For officers of the residents'
        committee; each use and each refusal is kept in the audit log.
        """
        found = type_and_key(input.subject_id)
        if found is None or found[0] not in ("ResidencyApplication", "Residency"):
            raise InvalidInputError(subjectId=Message("Is not the id of an application or a residency"))
        of_application = found[0] == "ResidencyApplication"
        shown = await unmasking.unmask(
            info.context,
            application_id=found[1] if of_application else None,
            residency_id=None if of_application else found[1],
            reason=input.reason,
        )
        return UnmaskPayload(
            real_name=shown.real_name,
            document_number=shown.document_number,
            phone=shown.phone,
            evidence=shown.evidence,
        )

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, result="What `importHouseholds` answers.")
    async def import_households(self, info: Info, input: ImportHouseholdsInput) -> ImportHouseholdsPayload:
        """Take a household register in: good lines are imported, bad ones reported. For officers of
        the residents' committee.
        """
        row = await register.import_households(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            text=input.csv,
            key=input.idempotency_key,
        )
        return ImportHouseholdsPayload(household_import=row)
