"""Showing pioneers, agreeing to be shown, and thanking."""

from datetime import date

import strawberry

from models.party.audience import BranchAudience
from models.party.pioneers import DeedRow, PioneerRow, PledgeRow, PledgeState
from resolvers.party import deeds, pioneers
from resolvers.party.pioneers import Profile
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, mutation, payload, shown
from schema.node import global_id, key_of
from schema.party.articles import TEXT
from schema.party.pioneers import Pioneer, PioneerDeed, PioneerPledge
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

PIONEER = "The pioneer's profile."
VERSION = "The version that was read."
PORTRAIT = "An upload of one's own, a picture of the pioneer."


@strawberry.input(description="A profile of a member, who is asked for consent.")
class ProposePioneerInput:
    member_id: strawberry.ID = strawberry.field(description="The membership in the party branch.")
    headline: str = strawberry.field(description="1 to 80 characters.")
    story: str = strawberry.field(description=TEXT)
    audience: BranchAudience = strawberry.field(description="Whom it will be shown to.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    portrait_id: strawberry.ID | None = strawberry.field(default=None, description=PORTRAIT)


@strawberry.input(description="What a profile shall say, all of it.")
class EditPioneerInput:
    pioneer_id: strawberry.ID = strawberry.field(description=PIONEER)
    version: int = strawberry.field(description=VERSION)
    headline: str = strawberry.field(description="1 to 80 characters.")
    story: str = strawberry.field(description=TEXT)
    audience: BranchAudience = strawberry.field(description="Whom it will be shown to.")
    portrait_id: strawberry.ID | None = strawberry.field(default=None, description=PORTRAIT)


@strawberry.input(description="Which profile to publish.")
class PublishPioneerInput:
    pioneer_id: strawberry.ID = strawberry.field(description=PIONEER)
    version: int = strawberry.field(description=VERSION)


@strawberry.input(description="Which profile to take out of view.")
class TakeDownPioneerInput:
    pioneer_id: strawberry.ID = strawberry.field(description=PIONEER)
    version: int = strawberry.field(description=VERSION)


@strawberry.input(description="Whether the viewer agrees to be shown so.")
class ConsentToPioneerInput:
    pioneer_id: strawberry.ID = strawberry.field(description=PIONEER)
    version: int = strawberry.field(description="The version that was read, and is agreed to.")
    on: bool = strawberry.field(description="True to agree, false to agree no longer.")


@strawberry.input(description="Whom to thank, or no longer.")
class ThankPioneerInput:
    pioneer_id: strawberry.ID = strawberry.field(description=PIONEER)
    on: bool = strawberry.field(description="True to thank, false to take that back.")


@strawberry.input(description="A new pledge.")
class AddPioneerPledgeInput:
    pioneer_id: strawberry.ID = strawberry.field(description="The viewer's own profile.")
    body: str = strawberry.field(description="1 to 200 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="What became of a pledge.")
class SetPledgeStateInput:
    pledge_id: strawberry.ID = strawberry.field(description="The pledge.")
    state: PledgeState = strawberry.field(description="What it shall be.")


@strawberry.input(description="Something that a pioneer did.")
class AddPioneerDeedInput:
    pioneer_id: strawberry.ID = strawberry.field(description=PIONEER)
    done_on: date = strawberry.field(description="The day, not in the future.")
    body: str = strawberry.field(description="1 to 500 characters.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    picture_id: strawberry.ID | None = strawberry.field(
        default=None, description="An upload of one's own, a picture of it."
    )


@strawberry.input(description="Which deed to take away.")
class RemovePioneerDeedInput:
    deed_id: strawberry.ID = strawberry.field(description="The deed.")


@payload("The profile was changed.")
class PioneerPayload:
    pioneer: PioneerRow = shown(Pioneer, "As it is now.")


@payload("The pledge was made or changed.")
class PioneerPledgePayload:
    pledge: PledgeRow = shown(PioneerPledge, "As it is now.")


@payload("The deed was added.")
class PioneerDeedPayload:
    deed: DeedRow = shown(PioneerDeed, "As it is now.")


@payload("The deed was taken away.")
class RemovePioneerDeedPayload:
    deleted_deed_id: strawberry.ID = strawberry.field(description="The id that it had.")


PROBLEMS = (InvalidInput, NotFound, NotAllowed, Conflict)
PioneerResult = Result(
    "PioneerResult",
    PioneerPayload,
    InvalidInput,
    NotFound,
    NotAllowed,
    Conflict,
    RateLimited,
    description="What came of a change of a profile, or of thanks.",
)
PioneerDeedResult = Result(
    "PioneerDeedResult", PioneerDeedPayload, *PROBLEMS, description="What came of a deed."
)
PioneerPledgeResult = Result(
    "PioneerPledgeResult", PioneerPledgePayload, *PROBLEMS, description="What came of a pledge."
)


def profile_of(input: ProposePioneerInput | EditPioneerInput) -> Profile:
    portrait = key_of("portraitId", input.portrait_id, "Picture") if input.portrait_id else None
    return Profile(input.headline, input.story, input.audience, portrait)


@strawberry.type
class PioneersMutation:
    @PioneerResult.mutation()
    async def propose_pioneer(self, info: Info, input: ProposePioneerInput) -> PioneerPayload:
        """Write a profile of a member of the party branch, who is asked for consent and sees it
        until then with the office alone. For officers of the branch.
        """
        profile = profile_of(input)
        row = await pioneers.propose(
            info.context,
            member_id=key_of("memberId", input.member_id, "PartyMember"),
            profile=profile,
            key=input.idempotency_key,
        )
        return PioneerPayload(pioneer=row)

    @PioneerResult.mutation()
    async def edit_pioneer(self, info: Info, input: EditPioneerInput) -> PioneerPayload:
        """Have a profile say something else. The member is asked again, and until then it is out of
        view. For officers of the branch.
        """
        profile = profile_of(input)
        key = key_of("pioneerId", input.pioneer_id, "Pioneer")
        row = await pioneers.edit(info.context, pioneer_id=key, version=input.version, profile=profile)
        return PioneerPayload(pioneer=row)

    @PioneerResult.mutation()
    async def publish_pioneer(self, info: Info, input: PublishPioneerInput) -> PioneerPayload:
        """Show a profile that the member has agreed to; it also becomes a card in the feed. For
        officers of the branch.
        """
        key = key_of("pioneerId", input.pioneer_id, "Pioneer")
        row = await pioneers.publish(info.context, pioneer_id=key, version=input.version)
        return PioneerPayload(pioneer=row)

    @PioneerResult.mutation()
    async def take_down_pioneer(self, info: Info, input: TakeDownPioneerInput) -> PioneerPayload:
        """Take a profile out of view, with its card and the comments below that. For officers of the
        branch.
        """
        key = key_of("pioneerId", input.pioneer_id, "Pioneer")
        row = await pioneers.take_down(info.context, pioneer_id=key, version=input.version)
        return PioneerPayload(pioneer=row)

    @PioneerResult.mutation()
    async def consent_to_pioneer(self, info: Info, input: ConsentToPioneerInput) -> PioneerPayload:
        """Agree to be shown as a pioneer with this text, or no longer, which takes it out of view.
        For the member whom it shows.
        """
        key = key_of("pioneerId", input.pioneer_id, "Pioneer")
        row = await pioneers.consent(info.context, pioneer_id=key, version=input.version, on=input.on)
        return PioneerPayload(pioneer=row)

    @PioneerResult.mutation()
    async def thank_pioneer(self, info: Info, input: ThankPioneerInput) -> PioneerPayload:
        """Thank a pioneer, or take that back. Asking for what is so already changes nothing, so it
        may be repeated.
        """
        key = key_of("pioneerId", input.pioneer_id, "Pioneer")
        row = await pioneers.thank(info.context, pioneer_id=key, on=input.on)
        return PioneerPayload(pioneer=row)

    @PioneerPledgeResult.mutation()
    async def add_pioneer_pledge(self, info: Info, input: AddPioneerPledgeInput) -> PioneerPledgePayload:
        """Promise something, as the pioneer."""
        row = await deeds.pledge(
            info.context,
            pioneer_id=key_of("pioneerId", input.pioneer_id, "Pioneer"),
            body=input.body,
            key=input.idempotency_key,
        )
        return PioneerPledgePayload(pledge=row)

    @PioneerPledgeResult.mutation()
    async def set_pledge_state(self, info: Info, input: SetPledgeStateInput) -> PioneerPledgePayload:
        """Say that a pledge is kept, or not yet. For officers of the branch."""
        key = key_of("pledgeId", input.pledge_id, "PioneerPledge")
        row = await deeds.set_pledge_state(info.context, pledge_id=key, state=input.state)
        return PioneerPledgePayload(pledge=row)

    @PioneerDeedResult.mutation()
    async def add_pioneer_deed(self, info: Info, input: AddPioneerDeedInput) -> PioneerDeedPayload:
        """Tell of something that a pioneer did. For officers of the branch."""
        picture = key_of("pictureId", input.picture_id, "Picture") if input.picture_id else None
        row = await deeds.add_deed(
            info.context,
            pioneer_id=key_of("pioneerId", input.pioneer_id, "Pioneer"),
            done_on=input.done_on,
            body=input.body,
            picture_id=picture,
            key=input.idempotency_key,
        )
        return PioneerDeedPayload(deed=row)

    @mutation(InvalidInput, NotFound, NotAllowed)
    async def remove_pioneer_deed(
        self, info: Info, input: RemovePioneerDeedInput
    ) -> RemovePioneerDeedPayload:
        """Take a deed out of a profile. For officers of the branch, and for the pioneer."""
        key = key_of("deedId", input.deed_id, "PioneerDeed")
        await deeds.remove_deed(info.context, deed_id=key)
        return RemovePioneerDeedPayload(deleted_deed_id=global_id("PioneerDeed", key))
