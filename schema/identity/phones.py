"""Another phone for an account, as clients see it."""

from datetime import datetime

import strawberry

from models.identity import AccountRow, PhoneChangeRow, PhoneChangeStatus
from resolvers.identity import phones
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity.neighbours import Neighbour
from schema.identity.residencies import Residency
from schema.links import Viewer
from schema.mutations import mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

described(
    PhoneChangeStatus,
    "How far a change of somebody's phone by officers has come.",
    PROPOSED="It waits for a second officer.",
    DONE="The account has the new phone.",
    REFUSED="The second officer has refused it.",
)


@fetched_by(phones.changes_by_id)
@strawberry.type(
    description="That officers give an account another phone, for somebody who has lost the old one. For the"
    " residents' committee."
)
class PhoneChange(Node):
    residency: Residency | None = loaded(phones.residencies_of, description="Whose account, by a home.")
    status: PhoneChangeStatus = strawberry.field(description="How far it has come.")
    masked_phone: str | None = loaded(
        phones.masked_phones, description="The new phone, as in `138****8000`; null once it is decided."
    )
    reason: str = strawberry.field(description="Why.")
    proposed_by: Neighbour = loaded(phones.proposers_of, description="The officer who proposed it.")
    created_at: datetime = strawberry.field(description="When it was proposed.")
    decided_at: datetime | None = strawberry.field(description="When it was decided.")

    is_type_of = IsA(PhoneChangeRow)


@strawberry.type
class OrganisationPhoneChanges:
    """What changes of phones add to an organisation."""

    phone_changes: Connection[PhoneChange] | None = connection(
        phones.changes_of,
        viewer=True,
        check=phones.check_may_see,
        description="The changes of phones that wait for a second officer, the oldest first. For officers of"
        " the residents' committee; an error and null for everyone else, whose asking is kept in the audit"
        " log.",
    )


@strawberry.input(description="The phone that the account shall have.")
class RequestPhoneChangeInput:
    phone: str = strawberry.field(description="The new one.")


@payload("A code is on its way to each of the two phones.")
class RequestPhoneChangePayload:
    old_challenge: str = strawberry.field(description="Of the code that the old phone gets.")
    new_challenge: str = strawberry.field(description="Of the code that the new phone gets.")
    expires_at: datetime = strawberry.field(description="Until when both are good.")


@strawberry.input(description="The codes that both phones were sent.")
class ChangePhoneInput:
    phone: str = strawberry.field(description="The new one.")
    old_challenge: str = strawberry.field(description="Of the old phone's code.")
    old_code: str = strawberry.field(description="The code that the old phone was sent.")
    new_challenge: str = strawberry.field(description="Of the new phone's code.")
    new_code: str = strawberry.field(description="The code that the new phone was sent.")


@payload("The account has the new phone; its other sessions have ended, and both phones are told.")
class ChangePhonePayload:
    viewer: AccountRow = shown(Viewer, "The account.")


@strawberry.input(description="Another phone for somebody who has lost the old one.")
class ProposePhoneChangeInput:
    residency_id: strawberry.ID = strawberry.field(description="Whose, by a home where they live now.")
    phone: str = strawberry.field(description="The new phone.")
    reason: str = strawberry.field(description="How the person was recognised; kept. 4 to 300 characters.")


@payload("The change waits for a second officer.")
class ProposePhoneChangePayload:
    phone_change: PhoneChangeRow = shown(PhoneChange, "As it is now.")


@strawberry.input(description="A second officer's decision.")
class DecidePhoneChangeInput:
    phone_change_id: strawberry.ID = strawberry.field(description="The change.")
    accept: bool = strawberry.field(description="True to carry it out, false to refuse it.")


@payload(
    "The change is decided. If it was accepted, the account's sessions have ended and both phones are told."
)
class DecidePhoneChangePayload:
    phone_change: PhoneChangeRow = shown(PhoneChange, "As it is now.")


@strawberry.type
class PhonesMutation:
    @mutation(InvalidInput, RateLimited)
    async def request_phone_change(
        self, info: Info, input: RequestPhoneChangeInput
    ) -> RequestPhoneChangePayload:
        """Send a code to the account's phone and one to the phone that it shall have."""
        old, new = await phones.request_change(info.context, phone=input.phone)
        return RequestPhoneChangePayload(
            old_challenge=old.name,
            new_challenge=new.name,
            expires_at=old.expires_at,
        )

    @mutation(InvalidInput, Conflict, RateLimited)
    async def change_phone(self, info: Info, input: ChangePhoneInput) -> ChangePhonePayload:
        """Give the own account another phone, with the codes that both were sent."""
        account = await phones.change(
            info.context,
            phone=input.phone,
            old_challenge=input.old_challenge,
            old_code=input.old_code,
            new_challenge=input.new_challenge,
            new_code=input.new_code,
        )
        return ChangePhonePayload(viewer=account)

    @mutation(InvalidInput, NotFound, NotAllowed)
    async def propose_phone_change(
        self, info: Info, input: ProposePhoneChangeInput
    ) -> ProposePhoneChangePayload:
        """Propose that a resident's account gets another phone. For officers of the residents'
        committee; it is kept in the audit log.
        """
        row = await phones.propose_change(
            info.context,
            residency_id=key_of("residencyId", input.residency_id, "Residency"),
            phone=input.phone,
            reason=input.reason,
        )
        return ProposePhoneChangePayload(phone_change=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def decide_phone_change(
        self, info: Info, input: DecidePhoneChangeInput
    ) -> DecidePhoneChangePayload:
        """Carry out or refuse a change that another officer has proposed; it is kept in the audit log."""
        row = await phones.decide_change(
            info.context,
            change_id=key_of("phoneChangeId", input.phone_change_id, "PhoneChange"),
            accept=input.accept,
        )
        return DecidePhoneChangePayload(phone_change=row)
