"""What can be done with opinions of a party branch's members."""

from datetime import datetime

import strawberry

from models.party.opinions import OPINIONS, PartyOpinionReach, PartyOpinionRow, PartyOpinionTopic
from resolvers.paging import edge_cursor
from resolvers.party.opinions import answering, submitting
from resolvers.party.opinions.submitting import OpinionDraft
from schema.connections import Edge
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, mutation, payload, shown
from schema.node import key_of
from schema.party.opinions import PartyOpinion
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited


@strawberry.input(description="A new opinion or suggestion.")
class SubmitPartyOpinionInput:
    branch_id: strawberry.ID = strawberry.field(description="The party branch that one is a member of.")
    topic: PartyOpinionTopic = strawberry.field(description="What it is about.")
    title: str = strawberry.field(description="In a few words, 1 to 80 characters.")
    body: str = strawberry.field(
        description="1 to 2,000 characters. Numbers of documents and bank cards in it are masked."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    reach: PartyOpinionReach = strawberry.field(
        default=PartyOpinionReach.MEMBERS, description="How far it may go, once answered."
    )
    named: bool = strawberry.field(
        default=False, description="Whether members learn whose it is; with reach MEMBERS only."
    )


@payload("The opinion was submitted.")
class SubmitPartyOpinionPayload:
    opinion_edge: Edge[PartyOpinionRow] = shown(Edge[PartyOpinion], "The edge to put into the list.")


@strawberry.input(description="Which opinion to withdraw.")
class WithdrawPartyOpinionInput:
    opinion_id: strawberry.ID = strawberry.field(description="The opinion.")
    version: int = strawberry.field(description="Of the opinion, as it was read.")


@strawberry.input(description="Who answers an opinion, and until when.")
class AssignPartyOpinionInput:
    opinion_id: strawberry.ID = strawberry.field(description="The opinion.")
    version: int = strawberry.field(description="Of the opinion, as it was read.")
    assignee_id: strawberry.ID = strawberry.field(
        description="An officer of the branch who answers opinions, as a neighbour."
    )
    due_at: datetime = strawberry.field(description="Until when, within the coming year.")


@strawberry.input(description="The answer to an opinion, or its correction.")
class AnswerPartyOpinionInput:
    opinion_id: strawberry.ID = strawberry.field(description="The opinion.")
    version: int = strawberry.field(description="Of the opinion, as it was read.")
    answer: str = strawberry.field(description="1 to 2,000 characters.")
    published: PartyOpinionReach = strawberry.field(
        description="To whom it is published: as far as the member wants, or less far."
    )


@payload("The opinion was assigned, answered or taken back.")
class PartyOpinionPayload:
    opinion: PartyOpinionRow = shown(PartyOpinion, "As it is now.")


PROBLEMS = (InvalidInput, NotFound, NotAllowed, Conflict)
PartyOpinionResult = Result(
    "PartyOpinionResult", PartyOpinionPayload, *PROBLEMS, description="What came of dealing with an opinion."
)


@strawberry.type
class PartyOpinionsMutation:
    @mutation(*PROBLEMS, RateLimited)
    async def submit_party_opinion(
        self, info: Info, input: SubmitPartyOpinionInput
    ) -> SubmitPartyOpinionPayload:
        """Bring an opinion before the party branch; it gets a number. For its members; 10 a day."""
        row = await submitting.submit(
            info.context,
            branch_id=key_of("branchId", input.branch_id, "Organisation"),
            draft=OpinionDraft(input.topic, input.title, input.body, input.reach, input.named),
            key=input.idempotency_key,
        )
        return SubmitPartyOpinionPayload(opinion_edge=Edge(node=row, cursor=edge_cursor(OPINIONS, row)))

    @PartyOpinionResult.mutation()
    async def withdraw_party_opinion(
        self, info: Info, input: WithdrawPartyOpinionInput
    ) -> PartyOpinionPayload:
        """Withdraw one's opinion before it is answered. Its number stays taken."""
        key = key_of("opinionId", input.opinion_id, "PartyOpinion")
        row = await submitting.withdraw(info.context, opinion_id=key, version=input.version)
        return PartyOpinionPayload(opinion=row)

    @PartyOpinionResult.mutation()
    async def assign_party_opinion(self, info: Info, input: AssignPartyOpinionInput) -> PartyOpinionPayload:
        """Say which officer answers an opinion, and until when. For the branch's secretary."""
        row = await answering.assign(
            info.context,
            opinion_id=key_of("opinionId", input.opinion_id, "PartyOpinion"),
            version=input.version,
            assignee_id=key_of("assigneeId", input.assignee_id, "Neighbour"),
            due_at=input.due_at,
        )
        return PartyOpinionPayload(opinion=row)

    @PartyOpinionResult.mutation()
    async def answer_party_opinion(self, info: Info, input: AnswerPartyOpinionInput) -> PartyOpinionPayload:
        """Answer an opinion, or correct the answer: the answer is dated, and published at once. For
        its owner and for the branch's secretary.
        """
        row = await answering.answer(
            info.context,
            opinion_id=key_of("opinionId", input.opinion_id, "PartyOpinion"),
            version=input.version,
            text=input.answer,
            published=input.published,
        )
        return PartyOpinionPayload(opinion=row)
