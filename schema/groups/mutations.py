"""What can be done with groups."""

from uuid import UUID

import strawberry

from models.groups import GroupAccess, GroupInvitationRow, GroupRow, JoinRequestRow
from models.memberships import Alerts, MembershipRow
from resolvers.groups import founding, joining, members
from schema.fields import Info
from schema.groups.groups import Group
from schema.groups.people import GroupInvitation, GroupMembership, JoinRequest
from schema.mutations import IDEMPOTENCY_KEY, mutation, payload, shown
from schema.node import global_id, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

GROUP_ID = "The group."
NOW = "As it is now."
REASON = "The message to the neighbour, 2 to 300 characters."
MEMBER_ID = "The member."


@strawberry.input(description="What a new group is.")
class FoundGroupInput:
    community_id: strawberry.ID = strawberry.field(description="Where.")
    name: str = strawberry.field(description="2 to 40 characters, in one line.")
    description: str = strawberry.field(description="What it is about, 1 to 1,000 characters.")
    access: GroupAccess = strawberry.field(description="Who may come in, and who reads.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    rules: str = strawberry.field(default="", description="How its members treat each other, at most 2,000.")
    questions: list[str] = strawberry.field(
        default_factory=list,
        description="What somebody who asks to join answers: 5 at most, of 1 to 100 characters.",
    )


@strawberry.input(description="What a group is, all of it.")
class EditGroupInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    version: int = strawberry.field(description="The version that was read.")
    name: str = strawberry.field(description="2 to 40 characters, in one line.")
    description: str = strawberry.field(description="What it is about, 1 to 1,000 characters.")
    access: GroupAccess = strawberry.field(
        description="Who may come in, and who reads what is posted from now on. Only the owner changes it."
    )
    rules: str = strawberry.field(description="How its members treat each other, at most 2,000.")
    questions: list[str] = strawberry.field(
        description="What somebody who asks to join answers: 5 at most, of 1 to 100 characters."
    )


@strawberry.input(description="Whether a group rests.")
class SetGroupArchivedInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    archived: bool = strawberry.field(description="True to let it rest, false to take it up again.")


@strawberry.input(description="Which group to end.")
class DissolveGroupInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)


@strawberry.input(description="Which group to join.")
class JoinGroupInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    answers: list[str] = strawberry.field(
        default_factory=list,
        description="The answers to the group's questions, in their order, 1 to 500 characters each."
        " Needed where joining takes a request.",
    )


@strawberry.input(description="Which request to take back.")
class WithdrawJoinRequestInput:
    join_request_id: strawberry.ID = strawberry.field(description="The viewer's own request.")


@strawberry.input(description="What to answer to who wants to join.")
class DecideJoinRequestInput:
    join_request_id: strawberry.ID = strawberry.field(description="The request.")
    accept: bool = strawberry.field(description="True to let the neighbour in.")
    reason: str = strawberry.field(default="", description=f"{REASON} May be empty when accepting.")


@strawberry.input(description="Whom to ask into a group.")
class InviteToGroupInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    neighbour_id: strawberry.ID = strawberry.field(description="Who is asked.")


@strawberry.input(description="What to answer to an invitation.")
class AnswerGroupInvitationInput:
    group_invitation_id: strawberry.ID = strawberry.field(description="The viewer's own invitation.")
    accept: bool = strawberry.field(description="True to come in.")


@strawberry.input(description="Which invitation to take back.")
class RevokeGroupInvitationInput:
    group_invitation_id: strawberry.ID = strawberry.field(description="The invitation.")


@strawberry.input(description="Which group to leave.")
class LeaveGroupInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)


@strawberry.input(description="Whom to make leave, and why.")
class RemoveGroupMemberInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    neighbour_id: strawberry.ID = strawberry.field(description=MEMBER_ID)
    reason: str = strawberry.field(description=REASON)


@strawberry.input(description="Who is a moderator, or no longer.")
class SetGroupModeratorInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    neighbour_id: strawberry.ID = strawberry.field(description=MEMBER_ID)
    on: bool = strawberry.field(description="True for a moderator, false for an ordinary member.")


@strawberry.input(description="To whom to hand a group over.")
class TransferGroupInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    neighbour_id: strawberry.ID = strawberry.field(description="The member who owns it from now on.")


@strawberry.input(description="Of what in a group to be told.")
class SetGroupAlertsInput:
    group_id: strawberry.ID = strawberry.field(description=GROUP_ID)
    alerts: Alerts = strawberry.field(description="Of what.")


@payload("The group is founded, and the viewer owns it.")
class FoundGroupPayload:
    group: GroupRow = shown(Group, NOW)


@payload("The group is edited.")
class EditGroupPayload:
    group: GroupRow = shown(Group, NOW)


@payload("The group rests, or not, as asked for.")
class SetGroupArchivedPayload:
    group: GroupRow = shown(Group, NOW)


@payload("The group is no more.")
class DissolveGroupPayload:
    dissolved_group_id: strawberry.ID = strawberry.field(description="The id that it had.")


@payload("The viewer is a member, or has asked to be one.")
class JoinGroupPayload:
    group: GroupRow = shown(Group, NOW)
    join_request: JoinRequestRow | None = shown(
        JoinRequest | None, "What waits for an answer; null for a member."
    )


@payload("The request is taken back.")
class WithdrawJoinRequestPayload:
    join_request: JoinRequestRow = shown(JoinRequest, NOW)


@payload("The request is decided.")
class DecideJoinRequestPayload:
    join_request: JoinRequestRow = shown(JoinRequest, NOW)


@payload("The neighbour is invited.")
class InviteToGroupPayload:
    invitation: GroupInvitationRow = shown(GroupInvitation, NOW)


@payload("The invitation is answered.")
class AnswerGroupInvitationPayload:
    invitation: GroupInvitationRow = shown(GroupInvitation, NOW)


@payload("The invitation is taken back.")
class RevokeGroupInvitationPayload:
    invitation: GroupInvitationRow = shown(GroupInvitation, NOW)


@payload("The viewer is no member any more.")
class LeaveGroupPayload:
    left_group_id: strawberry.ID = strawberry.field(description="The group's id.")
    group: GroupRow | None = shown(Group | None, "As it is now, if the viewer may still know of it.")


@payload("The neighbour is no member any more.")
class RemoveGroupMemberPayload:
    group: GroupRow = shown(Group, NOW)


@payload("The member has the role asked for.")
class SetGroupModeratorPayload:
    membership: MembershipRow = shown(GroupMembership, NOW)


@payload("The group is handed over.")
class TransferGroupPayload:
    group: GroupRow = shown(Group, NOW)


@payload("The viewer is told of what was asked for.")
class SetGroupAlertsPayload:
    group: GroupRow = shown(Group, NOW)


def group_of(group_id: strawberry.ID) -> UUID:
    return key_of("groupId", group_id, "Group")


def neighbour_of(neighbour_id: strawberry.ID) -> UUID:
    return key_of("neighbourId", neighbour_id, "Neighbour")


def draft_of(input: FoundGroupInput | EditGroupInput) -> founding.GroupDraft:
    return founding.GroupDraft(
        name=input.name,
        description=input.description,
        access=input.access,
        rules=input.rules,
        questions=tuple(input.questions),
    )


@strawberry.type
class GroupsMutation:
    @mutation(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def found_group(self, info: Info, input: FoundGroupInput) -> FoundGroupPayload:
        """Found a group. For verified residents and officers of the community; 5 a day."""
        row = await founding.found(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            draft=draft_of(input),
            key=input.idempotency_key,
        )
        return FoundGroupPayload(group=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def edit_group(self, info: Info, input: EditGroupInput) -> EditGroupPayload:
        """Replace what a group says of itself. For those who look after it. Posts keep the audience
        that they were written for.
        """
        row = await founding.edit(
            info.context, group_id=group_of(input.group_id), draft=draft_of(input), version=input.version
        )
        return EditGroupPayload(group=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def set_group_archived(self, info: Info, input: SetGroupArchivedInput) -> SetGroupArchivedPayload:
        """Let a group rest, so that nobody posts, comments or joins, or take it up again. For its owner."""
        row = await founding.set_archived(
            info.context, group_id=group_of(input.group_id), archived=input.archived
        )
        return SetGroupArchivedPayload(group=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def dissolve_group(self, info: Info, input: DissolveGroupInput) -> DissolveGroupPayload:
        """End a group for good: its posts go, and its members are told. For its owner."""
        row = await founding.dissolve(info.context, group_id=group_of(input.group_id))
        return DissolveGroupPayload(dissolved_group_id=global_id("Group", row.id))

    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def join_group(self, info: Info, input: JoinGroupInput) -> JoinGroupPayload:
        """Become a member of an open group, or ask those who look after another. Who was removed
        from a group always asks. Repeating it changes nothing.
        """
        group, request = await joining.join(
            info.context, group_id=group_of(input.group_id), answers=input.answers
        )
        return JoinGroupPayload(group=group, join_request=request)

    @mutation(InvalidInput, NotFound, Conflict)
    async def withdraw_join_request(
        self, info: Info, input: WithdrawJoinRequestInput
    ) -> WithdrawJoinRequestPayload:
        """Take one's own request to join back."""
        key = key_of("joinRequestId", input.join_request_id, "JoinRequest")
        row = await joining.withdraw(info.context, request_id=key)
        return WithdrawJoinRequestPayload(join_request=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def decide_join_request(
        self, info: Info, input: DecideJoinRequestInput
    ) -> DecideJoinRequestPayload:
        """Let in who wants to join, or refuse, with a reason. For those who look after the group."""
        key = key_of("joinRequestId", input.join_request_id, "JoinRequest")
        row = await joining.decide(info.context, request_id=key, accepted=input.accept, reason=input.reason)
        return DecideJoinRequestPayload(join_request=row)

    @mutation(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def invite_to_group(self, info: Info, input: InviteToGroupInput) -> InviteToGroupPayload:
        """Ask a neighbour into a group, who comes in without a request. For those who look after it.
        Who is invited already is not asked twice.
        """
        row = await joining.invite(
            info.context, group_id=group_of(input.group_id), neighbour_id=neighbour_of(input.neighbour_id)
        )
        return InviteToGroupPayload(invitation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def answer_group_invitation(
        self, info: Info, input: AnswerGroupInvitationInput
    ) -> AnswerGroupInvitationPayload:
        """Come into a group as invited, or not."""
        key = key_of("groupInvitationId", input.group_invitation_id, "GroupInvitation")
        row = await joining.answer(info.context, invitation_id=key, accepted=input.accept)
        return AnswerGroupInvitationPayload(invitation=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def revoke_group_invitation(
        self, info: Info, input: RevokeGroupInvitationInput
    ) -> RevokeGroupInvitationPayload:
        """Take an invitation back. For those who look after the group."""
        key = key_of("groupInvitationId", input.group_invitation_id, "GroupInvitation")
        row = await joining.revoke(info.context, invitation_id=key)
        return RevokeGroupInvitationPayload(invitation=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def leave_group(self, info: Info, input: LeaveGroupInput) -> LeaveGroupPayload:
        """Leave a group; what was followed by it ends. An owner hands it over first. Repeating it
        changes nothing.
        """
        key = group_of(input.group_id)
        row = await members.leave(info.context, group_id=key)
        return LeaveGroupPayload(left_group_id=global_id("Group", key), group=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def remove_group_member(
        self, info: Info, input: RemoveGroupMemberInput
    ) -> RemoveGroupMemberPayload:
        """Make a member leave, who is told why and comes back only if those who look after the group
        agree. For them; of a moderator, for the owner.
        """
        row = await members.remove(
            info.context,
            group_id=group_of(input.group_id),
            neighbour_id=neighbour_of(input.neighbour_id),
            reason=input.reason,
        )
        return RemoveGroupMemberPayload(group=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def set_group_moderator(
        self, info: Info, input: SetGroupModeratorInput
    ) -> SetGroupModeratorPayload:
        """Make a member a moderator, or an ordinary member again. For the owner."""
        row = await members.appoint(
            info.context,
            group_id=group_of(input.group_id),
            neighbour_id=neighbour_of(input.neighbour_id),
            moderator=input.on,
        )
        return SetGroupModeratorPayload(membership=row)

    @mutation(InvalidInput, NotAllowed, NotFound, Conflict)
    async def transfer_group(self, info: Info, input: TransferGroupInput) -> TransferGroupPayload:
        """Hand a group over to a member; who owned it becomes a moderator. For the owner, and for
        moderators once the owner has left the community.
        """
        row = await members.transfer(
            info.context, group_id=group_of(input.group_id), neighbour_id=neighbour_of(input.neighbour_id)
        )
        return TransferGroupPayload(group=row)

    @mutation(InvalidInput, NotAllowed, NotFound)
    async def set_group_alerts(self, info: Info, input: SetGroupAlertsInput) -> SetGroupAlertsPayload:
        """Say of what in a group the viewer is told. For its members."""
        row = await members.set_alerts(info.context, group_id=group_of(input.group_id), alerts=input.alerts)
        return SetGroupAlertsPayload(group=row)
