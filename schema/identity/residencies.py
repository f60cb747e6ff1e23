"""Residency: who lives where, the imported register, moving out, and personal data in clear."""

from datetime import datetime

import strawberry

from models.identity import (
    HouseholdImportRow,
    Relation,
    ResidencyRow,
)
from models.messages import Message
from resolvers import identity
from resolvers.errors import InvalidInput as InvalidInputError
from resolvers.identity import applications, around, register, unmasking
from resolvers.identity import residencies as living
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity.applications import ResidencyApplication
from schema.identity.neighbours import Neighbour
from schema.links import Home
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import Node, fetched_by, key_of, type_and_key
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound

described(
    Relation,
    "How a person belongs to a home.",
    OWNER="业主: owns it.",
    CO_OWNER="共有人: owns it together with others.",
    FAMILY="家属: lives there with the owner or tenant.",
    TENANT="租户: rents it.",
)


@fetched_by(living.residencies_by_id)
@strawberry.type(description="That somebody lives or lived in a home; for the resident and the committee.")
class Residency(Node):
    home: Home = loaded(around.homes, description="Where.")
    relation: Relation = strawberry.field(description="How the resident belongs to it.")
    since: datetime = strawberry.field(description="Since when.")
    until: datetime | None = strawberry.field(description="Until when; null for who lives there now.")
    neighbour: Neighbour = loaded(identity.neighbours_of, description="Who, as neighbours know them.")
    masked_name: str | None = loaded(unmasking.masked_names, description="The real name, as in `张**`.")

    is_type_of = IsA(ResidencyRow)


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


@strawberry.type
class HomeResidents:
    """What residency adds to a home."""

    residents: Connection[Residency] | None = connection(
        living.residents_of,
        viewer=True,
        description="Who lives there now; null for everyone but officers of the residents' committee.",
    )


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
        description="CSV of at most 1 MiB with the columns 小区, 楼栋, 单元, 房号,"
        " 面积 (square metres, at most four decimals), 姓名, 证件号, 手机号, 关系 (业主, 共有人, 家属, 租户),"
        " or estate, building, unit, number, area, name, document, phone, relation."
        " A home without name and document has no known resident."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@payload("The good lines of the file are in the register.")
class ImportHouseholdsPayload:
    household_import: HouseholdImportRow = shown(HouseholdImport, "What became of the lines.")


@strawberry.type
class ResidenciesMutation:
    @mutation(InvalidInput, NotFound, NotAllowed)
    async def move_out(self, info: Info, input: MoveOutInput) -> MoveOutPayload:
        """Record that a resident has moved out. For the resident and the residents' committee."""
        key = key_of("residencyId", input.residency_id, "Residency")
        row = await living.move_out(info.context, residency_id=key)
        return MoveOutPayload(residency=row)

    @mutation(InvalidInput, NotFound, NotAllowed)
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

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
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
