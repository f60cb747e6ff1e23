"""What can be done with groups."""

from typing import Annotated, Any

import strawberry

from models.groups import GroupAccess
from models.memberships import Alerts
from resolvers.groups import founding, joining, members
from schema.fields import Info
from schema.groups.groups import Group
from schema.groups.people import GroupInvitation, GroupMembership, JoinRequest
from schema.node import global_id, key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited, answering_problems

GROUP_ID = "The group."
NOW = "As it is now."
INPUT = strawberry.argument(description="What to do.")
REASON = "What the neighbour is told, 2 to 300 characters."
MEMBER_ID = "The member."


@strawberry.input(description="What a new group is.")
class FoundGroupInput:
    community_id: strawberry.ID = strawberry.field(description="Where.")
    name: str = strawberry.field(description="2 to 40 characters, in one line.")
    description: str = strawberry.field(description="What it is about, 1 to 1,000 characters.")
    access: GroupAccess = strawberry.field(description="Who may come in, and who reads.")
    idempotency_key: str = strawberry.field(
        description="Chosen by the client, 1 to 64 characters: sent again with the same input it gives the"
        " same result, and nothing happens twice."
    )
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
        description="To each of the group's questions, in their order, 1 to 500 characters; needed where"
        " joining takes a request.",
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


@strawberry.type(description="The group is founded, and the viewer owns it.")
class FoundGroupPayload:
    group: Group = strawberry.field(description=NOW)


@strawberry.type(description="The group is edited.")
class EditGroupPayload:
    group: Group = strawberry.field(description=NOW)


@strawberry.type(description="The group rests, or not, as asked for.")
class SetGroupArchivedPayload:
    group: Group = strawberry.field(description=NOW)


@strawberry.type(description="The group is no more.")
class DissolveGroupPayload:
    dissolved_group_id: strawberry.ID = strawberry.field(description="The id that it had.")


@strawberry.type(description="The viewer is a member, or has asked to be one.")
class JoinGroupPayload:
    group: Group = strawberry.field(description=NOW)
    join_request: JoinRequest | None = strawberry.field(
        description="What waits for an answer; null for a member."
    )


@strawberry.type(description="The request is taken back.")
class WithdrawJoinRequestPayload:
    join_request: JoinRequest = strawberry.field(description=NOW)


@strawberry.type(description="The request is decided.")
class DecideJoinRequestPayload:
    join_request: JoinRequest = strawberry.field(description=NOW)


@strawberry.type(description="The neighbour is invited.")
class InviteToGroupPayload:
    invitation: GroupInvitation = strawberry.field(description=NOW)


@strawberry.type(description="The invitation is answered.")
class AnswerGroupInvitationPayload:
    invitation: GroupInvitation = strawberry.field(description=NOW)


@strawberry.type(description="The invitation is taken back.")
class RevokeGroupInvitationPayload:
    invitation: GroupInvitation = strawberry.field(description=NOW)


@strawberry.type(description="The viewer is no member any more.")
class LeaveGroupPayload:
    left_group_id: strawberry.ID = strawberry.field(description="The group's id.")
    group: Group | None = strawberry.field(description="As it is now, if the viewer may still know of it.")


@strawberry.type(description="The neighbour is no member any more.")
class RemoveGroupMemberPayload:
    group: Group = strawberry.field(description=NOW)


@strawberry.type(description="The member has the role asked for.")
class SetGroupModeratorPayload:
    membership: GroupMembership = strawberry.field(description=NOW)


@strawberry.type(description="The group is handed over.")
class TransferGroupPayload:
    group: Group = strawberry.field(description=NOW)


@strawberry.type(description="The viewer is told of what was asked for.")
class SetGroupAlertsPayload:
    group: Group = strawberry.field(description=NOW)


FoundGroupResult = Annotated[
    FoundGroupPayload | InvalidInput | NotAllowed | NotFound | Conflict | RateLimited,
    strawberry.union("FoundGroupResult", description="What came of `foundGroup`."),
]
EditGroupResult = Annotated[
    EditGroupPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("EditGroupResult", description="What came of `editGroup`."),
]
SetGroupArchivedResult = Annotated[
    SetGroupArchivedPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("SetGroupArchivedResult", description="What came of `setGroupArchived`."),
]
DissolveGroupResult = Annotated[
    DissolveGroupPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("DissolveGroupResult", description="What came of `dissolveGroup`."),
]
JoinGroupResult = Annotated[
    JoinGroupPayload | InvalidInput | NotAllowed | NotFound | RateLimited,
    strawberry.union("JoinGroupResult", description="What came of `joinGroup`."),
]
WithdrawJoinRequestResult = Annotated[
    WithdrawJoinRequestPayload | InvalidInput | NotFound | Conflict,
    strawberry.union("WithdrawJoinRequestResult", description="What came of `withdrawJoinRequest`."),
]
DecideJoinRequestResult = Annotated[
    DecideJoinRequestPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("DecideJoinRequestResult", description="What came of `decideJoinRequest`."),
]
InviteToGroupResult = Annotated[
    InviteToGroupPayload | InvalidInput | NotAllowed | NotFound | RateLimited,
    strawberry.union("InviteToGroupResult", description="What came of `inviteToGroup`."),
]
AnswerGroupInvitationResult = Annotated[
    AnswerGroupInvitationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("AnswerGroupInvitationResult", description="What came of `answerGroupInvitation`."),
]
RevokeGroupInvitationResult = Annotated[
    RevokeGroupInvitationPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("RevokeGroupInvitationResult", description="What came of `revokeGroupInvitation`."),
]
LeaveGroupResult = Annotated[
    LeaveGroupPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("LeaveGroupResult", description="What came of `leaveGroup`."),
]
RemoveGroupMemberResult = Annotated[
    RemoveGroupMemberPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("RemoveGroupMemberResult", description="What came of `removeGroupMember`."),
]
SetGroupModeratorResult = Annotated[
    SetGroupModeratorPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("SetGroupModeratorResult", description="What came of `setGroupModerator`."),
]
TransferGroupResult = Annotated[
    TransferGroupPayload | InvalidInput | NotAllowed | NotFound | Conflict,
    strawberry.union("TransferGroupResult", description="What came of `transferGroup`."),
]
SetGroupAlertsResult = Annotated[
    SetGroupAlertsPayload | InvalidInput | NotAllowed | NotFound,
    strawberry.union("SetGroupAlertsResult", description="What came of `setGroupAlerts`."),
]


def group_of(input: Any) -> Any:
    return key_of("groupId", input.group_id, "Group")


def neighbour_of(input: Any) -> Any:
    return key_of("neighbourId", input.neighbour_id, "Neighbour")


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
    @strawberry.mutation(
        description="Found a group. For verified residents and officers of the community; 5 a day."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)
    async def found_group(self, info: Info, input: Annotated[FoundGroupInput, INPUT]) -> FoundGroupResult:
        row: Any = await founding.found(
            info.context,
            community_id=key_of("communityId", input.community_id, "Community"),
            draft=draft_of(input),
            key=input.idempotency_key,
        )
        return FoundGroupPayload(group=row)

    @strawberry.mutation(
        description="Replace what a group says of itself. For those who look after it. Posts keep the"
        " audience that they were written for."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def edit_group(self, info: Info, input: Annotated[EditGroupInput, INPUT]) -> EditGroupResult:
        row: Any = await founding.edit(
            info.context, group_id=group_of(input), draft=draft_of(input), version=input.version
        )
        return EditGroupPayload(group=row)

    @strawberry.mutation(
        description="Let a group rest, so that nobody posts, comments or joins, or take it up again. For its"
        " owner."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def set_group_archived(
        self, info: Info, input: Annotated[SetGroupArchivedInput, INPUT]
    ) -> SetGroupArchivedResult:
        row: Any = await founding.set_archived(
            info.context, group_id=group_of(input), archived=input.archived
        )
        return SetGroupArchivedPayload(group=row)

    @strawberry.mutation(
        description="End a group for good: its posts go, and its members are told. For its owner."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def dissolve_group(
        self, info: Info, input: Annotated[DissolveGroupInput, INPUT]
    ) -> DissolveGroupResult:
        row = await founding.dissolve(info.context, group_id=group_of(input))
        return DissolveGroupPayload(dissolved_group_id=global_id("Group", row.id))

    @strawberry.mutation(
        description="Become a member of an open group, or ask those who look after another. Who was removed"
        " from a group always asks. Repeating it changes nothing."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def join_group(self, info: Info, input: Annotated[JoinGroupInput, INPUT]) -> JoinGroupResult:
        found: Any = await joining.join(info.context, group_id=group_of(input), answers=input.answers)
        group, request = found
        return JoinGroupPayload(group=group, join_request=request)

    @strawberry.mutation(description="Take one's own request to join back.")
    @answering_problems(InvalidInput, NotFound, Conflict)
    async def withdraw_join_request(
        self, info: Info, input: Annotated[WithdrawJoinRequestInput, INPUT]
    ) -> WithdrawJoinRequestResult:
        key = key_of("joinRequestId", input.join_request_id, "JoinRequest")
        row: Any = await joining.withdraw(info.context, request_id=key)
        return WithdrawJoinRequestPayload(join_request=row)

    @strawberry.mutation(
        description="Let in who wants to join, or refuse, with a reason. For those who look after the group."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def decide_join_request(
        self, info: Info, input: Annotated[DecideJoinRequestInput, INPUT]
    ) -> DecideJoinRequestResult:
        key = key_of("joinRequestId", input.join_request_id, "JoinRequest")
        row: Any = await joining.decide(
            info.context, request_id=key, accepted=input.accept, reason=input.reason
        )
        return DecideJoinRequestPayload(join_request=row)

    @strawberry.mutation(
        description="Ask a neighbour into a group, who comes in without a request. For those who look after"
        " it. Who is invited already is not asked twice."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, RateLimited)
    async def invite_to_group(
        self, info: Info, input: Annotated[InviteToGroupInput, INPUT]
    ) -> InviteToGroupResult:
        row: Any = await joining.invite(
            info.context, group_id=group_of(input), neighbour_id=neighbour_of(input)
        )
        return InviteToGroupPayload(invitation=row)

    @strawberry.mutation(description="Come into a group as invited, or not.")
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def answer_group_invitation(
        self, info: Info, input: Annotated[AnswerGroupInvitationInput, INPUT]
    ) -> AnswerGroupInvitationResult:
        key = key_of("groupInvitationId", input.group_invitation_id, "GroupInvitation")
        row: Any = await joining.answer(info.context, invitation_id=key, accepted=input.accept)
        return AnswerGroupInvitationPayload(invitation=row)

    @strawberry.mutation(description="Take an invitation back. For those who look after the group.")
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def revoke_group_invitation(
        self, info: Info, input: Annotated[RevokeGroupInvitationInput, INPUT]
    ) -> RevokeGroupInvitationResult:
        key = key_of("groupInvitationId", input.group_invitation_id, "GroupInvitation")
        row: Any = await joining.revoke(info.context, invitation_id=key)
        return RevokeGroupInvitationPayload(invitation=row)

    @strawberry.mutation(
        description="Leave a group; what was followed by it ends. An owner hands it over first. Repeating it"
        " changes nothing."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def leave_group(self, info: Info, input: Annotated[LeaveGroupInput, INPUT]) -> LeaveGroupResult:
        key = group_of(input)
        row: Any = await members.leave(info.context, group_id=key)
        return LeaveGroupPayload(left_group_id=global_id("Group", key), group=row)

    @strawberry.mutation(
        description="Make a member leave, who is told why and comes back only if those who look after the"
        " group agree. For them; of a moderator, for the owner."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def remove_group_member(
        self, info: Info, input: Annotated[RemoveGroupMemberInput, INPUT]
    ) -> RemoveGroupMemberResult:
        row: Any = await members.remove(
            info.context, group_id=group_of(input), neighbour_id=neighbour_of(input), reason=input.reason
        )
        return RemoveGroupMemberPayload(group=row)

    @strawberry.mutation(description="Make a member a moderator, or an ordinary member again. For the owner.")
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def set_group_moderator(
        self, info: Info, input: Annotated[SetGroupModeratorInput, INPUT]
    ) -> SetGroupModeratorResult:
        row: Any = await members.appoint(
            info.context, group_id=group_of(input), neighbour_id=neighbour_of(input), moderator=input.on
        )
        return SetGroupModeratorPayload(membership=row)

    @strawberry.mutation(
        description="Hand a group over to a member; who owned it becomes a moderator. For the owner, and for"
        " moderators once the owner has left the community."
    )
    @answering_problems(InvalidInput, NotAllowed, NotFound, Conflict)
    async def transfer_group(
        self, info: Info, input: Annotated[TransferGroupInput, INPUT]
    ) -> TransferGroupResult:
        row: Any = await members.transfer(
            info.context, group_id=group_of(input), neighbour_id=neighbour_of(input)
        )
        return TransferGroupPayload(group=row)

    @strawberry.mutation(description="Say of what in a group the viewer is told. For its members.")
    @answering_problems(InvalidInput, NotAllowed, NotFound)
    async def set_group_alerts(
        self, info: Info, input: Annotated[SetGroupAlertsInput, INPUT]
    ) -> SetGroupAlertsResult:
        row: Any = await members.set_alerts(info.context, group_id=group_of(input), alerts=input.alerts)
        return SetGroupAlertsPayload(group=row)
