"""Applications for residency: applying, and what the committee decides."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.identity import (
    ApplicationRow,
    ApplicationStatus,
    Relation,
)
from resolvers import identity
from resolvers.identity import applications, around, unmasking
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity.neighbours import Neighbour
from schema.links import Home
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

described(
    ApplicationStatus,
    "How far an application for residency has come.",
    PENDING="The committee has not decided yet.",
    APPROVED="The applicant is a verified resident.",
    REJECTED="The committee has said no, and why.",
    WITHDRAWN="The applicant has taken it back.",
)


StatusArg = Annotated[ApplicationStatus | None, strawberry.argument(description="Only those so far.")]


@fetched_by(applications.applications_by_id)
@strawberry.type(
    description="That somebody asks to be known as living in a home; for the applicant and the committee."
)
class ResidencyApplication(Node):
    home: Home = loaded(around.homes, description="Where.")
    relation: Relation = strawberry.field(description="How the applicant says to belong to it.")
    status: ApplicationStatus = strawberry.field(description="How far it has come.")
    applicant: Neighbour = loaded(identity.neighbours_of, description="Who, as neighbours know them.")
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
        description="The applications that wait for the residents' committee or were decided by it,"
        " the oldest first. For its officers; null with an error for everyone else,"
        " whose attempt is recorded.",
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
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


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


@strawberry.type
class ApplicationsMutation:
    @mutation(InvalidInput, NotFound, Conflict, RateLimited)
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

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def withdraw_application(
        self, info: Info, input: WithdrawApplicationInput
    ) -> WithdrawApplicationPayload:
        """Withdraw an application before it is decided. For the applicant."""
        key = key_of("applicationId", input.application_id, "ResidencyApplication")
        row = await applications.withdraw(info.context, application_id=key)
        return WithdrawApplicationPayload(application=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def approve_residency(self, info: Info, input: ApproveResidencyInput) -> ApproveResidencyPayload:
        """Verify an applicant. For officers of the residents' committee."""
        key = key_of("applicationId", input.application_id, "ResidencyApplication")
        row = await applications.approve(info.context, application_id=key, version=input.version)
        return ApproveResidencyPayload(application=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def reject_residency(self, info: Info, input: RejectResidencyInput) -> RejectResidencyPayload:
        """Reject an application. For officers of the residents' committee."""
        row = await applications.reject(
            info.context,
            application_id=key_of("applicationId", input.application_id, "ResidencyApplication"),
            version=input.version,
            reason=input.reason,
        )
        return RejectResidencyPayload(application=row)
