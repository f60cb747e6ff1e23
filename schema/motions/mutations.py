"""What can be done about the owners' vote."""

import strawberry

from resolvers.motions import ballots, paper, proxies, putting, rules, tally
from schema.fields import Info
from schema.motions.ballots import chosen
from schema.motions.casting import (
    CastBallotInput,
    CastBallotPayload,
    SettleBallotConflictInput,
    SettleBallotConflictPayload,
)
from schema.motions.paper import (
    ConfirmPaperBallotInput,
    ConfirmPaperBallotPayload,
    EnterPaperBallotInput,
    EnterPaperBallotPayload,
)
from schema.motions.proxies import (
    DecideProxyInput,
    DecideProxyPayload,
    ReadProxyEvidenceInput,
    ReadProxyEvidencePayload,
    RequestProxyInput,
    RequestProxyPayload,
    RevokeProxyInput,
    RevokeProxyPayload,
)
from schema.motions.putting import (
    AnnounceMotionInput,
    AnnounceMotionPayload,
    CreateMotionInput,
    CreateMotionPayload,
    UpdateMotionInput,
    UpdateMotionPayload,
    WithdrawMotionInput,
    WithdrawMotionPayload,
    draft_of,
)
from schema.motions.rules import AdoptVoteRulesInput, AdoptVoteRulesPayload, threshold_of
from schema.mutations import mutation
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited


@strawberry.type
class MotionsMutation:
    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def adopt_vote_rules(self, info: Info, input: AdoptVoteRulesInput) -> AdoptVoteRulesPayload:
        """Adopt another version of the rules of voting, which motions written from now on pin."""
        made = await rules.adopt(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            base_version=input.base_version,
            wanted=rules.RulesDraft(
                name=input.name,
                binding=input.binding,
                quorum=threshold_of(input.quorum, tally.STATUTORY_QUORUM),
                ordinary=threshold_of(input.ordinary, tally.STATUTORY_ORDINARY),
                special=threshold_of(input.special, tally.STATUTORY_SPECIAL),
                changes_allowed=input.changes_allowed,
                proxies_allowed=input.proxies_allowed,
                notice_hours=input.notice_hours,
                most_extensions=input.most_extensions,
                extension_hours=input.extension_hours,
            ),
        )
        return AdoptVoteRulesPayload(rules=made)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def create_motion(self, info: Info, input: CreateMotionInput) -> CreateMotionPayload:
        """Write a motion to the owners. For the owners' committee; where none sits, the residents'."""
        row = await putting.create(
            info.context,
            organisation_id=key_of("organisationId", input.organisation_id, "Organisation"),
            draft=draft_of(input.draft),
            key=input.idempotency_key,
        )
        return CreateMotionPayload(motion=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def update_motion(self, info: Info, input: UpdateMotionInput) -> UpdateMotionPayload:
        """Rewrite a draft."""
        row = await putting.update(
            info.context,
            motion_id=key_of("motionId", input.motion_id, "Motion"),
            version=input.version,
            draft=draft_of(input.draft),
        )
        return UpdateMotionPayload(motion=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def announce_motion(self, info: Info, input: AnnounceMotionInput) -> AnnounceMotionPayload:
        """Put the motion to the owners, with a notice to their homes. Nothing in it changes any more."""
        key = key_of("motionId", input.motion_id, "Motion")
        row = await putting.announce(info.context, motion_id=key, version=input.version)
        return AnnounceMotionPayload(motion=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def withdraw_motion(self, info: Info, input: WithdrawMotionInput) -> WithdrawMotionPayload:
        """Withdraw a motion before it opens."""
        key = key_of("motionId", input.motion_id, "Motion")
        row = await putting.withdraw(info.context, motion_id=key, version=input.version, reason=input.reason)
        return WithdrawMotionPayload(motion=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict, RateLimited)
    async def cast_ballot(self, info: Info, input: CastBallotInput) -> CastBallotPayload:
        """Cast the one ballot of the viewer's head, or change it where the rules allow. Timely if
        the server's clock at the beginning of the transaction is before the close.
        """
        done = await ballots.cast(
            info.context,
            motion_id=key_of("motionId", input.motion_id, "Motion"),
            home_id=key_of("homeId", input.home_id, "Home") if input.home_id else None,
            choices=chosen(input.choices),
            key=input.idempotency_key,
            receipt_secret=input.receipt_secret,
        )
        return CastBallotPayload(
            motion=done.motion,
            number=done.entry.number,
            hash=done.entry.hash,
            standing=done.entry.standing,
            receipt_code=done.receipt,
        )

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def enter_paper_ballot(self, info: Info, input: EnterPaperBallotInput) -> EnterPaperBallotPayload:
        """Enter a ballot on paper, as the first of two officers."""
        row = await paper.enter(
            info.context,
            motion_id=key_of("motionId", input.motion_id, "Motion"),
            home_id=key_of("homeId", input.home_id, "Home"),
            channel=input.channel,
            choices=chosen(input.choices),
            photo=input.photo,
            key=input.idempotency_key,
        )
        return EnterPaperBallotPayload(paper_ballot=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def confirm_paper_ballot(
        self, info: Info, input: ConfirmPaperBallotInput
    ) -> ConfirmPaperBallotPayload:
        """Enter a ballot on paper again, as another officer. If both entered the same it is in the box."""
        key = key_of("paperBallotId", input.paper_ballot_id, "PaperBallot")
        row, done = await paper.confirm(info.context, paper_id=key, choices=chosen(input.choices))
        return ConfirmPaperBallotPayload(
            paper_ballot=row,
            standing=done.entry.standing if done else None,
            receipt_code=done.receipt if done else None,
        )

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def settle_ballot_conflict(
        self, info: Info, input: SettleBallotConflictInput
    ) -> SettleBallotConflictPayload:
        """Decide which of two ballots of a home stands, without knowing what they say. For an
        officer who entered neither.
        """
        row = await paper.settle_conflict(
            info.context,
            motion_id=key_of("motionId", input.motion_id, "Motion"),
            home_id=key_of("homeId", input.home_id, "Home"),
            ballot_number=input.ballot_number,
            reason=input.reason,
        )
        return SettleBallotConflictPayload(motion=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def request_proxy(self, info: Info, input: RequestProxyInput) -> RequestProxyPayload:
        """Ask to vote for the owners of a home."""
        row = await proxies.request(
            info.context,
            motion_id=key_of("motionId", input.motion_id, "Motion"),
            home_id=key_of("homeId", input.home_id, "Home"),
            evidence=input.evidence,
            key=input.idempotency_key,
        )
        return RequestProxyPayload(proxy=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def decide_proxy(self, info: Info, input: DecideProxyInput) -> DecideProxyPayload:
        """Approve or reject a proxy. For officers who count."""
        row = await proxies.decide(
            info.context,
            proxy_id=key_of("proxyId", input.proxy_id, "VoteProxy"),
            approve=input.approve,
            reason=input.reason,
        )
        return DecideProxyPayload(proxy=row)

    @mutation(InvalidInput, NotFound, NotAllowed, Conflict)
    async def revoke_proxy(self, info: Info, input: RevokeProxyInput) -> RevokeProxyPayload:
        """End a proxy: as an owner, as the proxy, or as an officer. What it cast stays cast."""
        key = key_of("proxyId", input.proxy_id, "VoteProxy")
        row = await proxies.revoke(info.context, proxy_id=key)
        return RevokeProxyPayload(proxy=row)

    @mutation(InvalidInput, NotFound, NotAllowed)
    async def read_proxy_evidence(
        self, info: Info, input: ReadProxyEvidenceInput
    ) -> ReadProxyEvidencePayload:
        """Read a proxy's evidence in clear; that is kept in the audit log. For officers who count."""
        key = key_of("proxyId", input.proxy_id, "VoteProxy")
        return ReadProxyEvidencePayload(
            evidence=await proxies.evidence_of(info.context, proxy_id=key, reason=input.reason)
        )
