"""Who is in a group, who wants to come in, and what was done there, as clients see it."""

from datetime import datetime

import strawberry

from models.groups import GroupAction, GroupInvitationRow, GroupStepRow, JoinRequestRow, JoinStatus
from models.memberships import Alerts, MemberRole, MembershipRow
from resolvers import identity
from resolvers.groups import people, reading
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.identity import Neighbour
from schema.links import Group
from schema.node import Node, fetched_by

described(
    MemberRole,
    "What a member is to a group.",
    OWNER="Names moderators, and archives, dissolves or hands over the group.",
    MODERATOR="Lets people in and out, and takes away and pins posts.",
    MEMBER="Reads and posts.",
)
described(
    Alerts,
    "Of what in a group a member is told.",
    ALL="Of every post.",
    REPLIES="Of replies to what the member wrote, and of mentions of the member by @ and display name.",
    NONE="Of nothing: the group is muted.",
)
described(
    JoinStatus,
    "What has become of a request to join a group, or of an invitation.",
    PENDING="It waits for an answer.",
    ACCEPTED="The neighbour is a member.",
    DECLINED="The answer was no.",
    WITHDRAWN="Whoever made it has taken it back.",
)
described(
    GroupAction,
    "What the owner or a moderator of a group did.",
    REMOVED="Made a member leave, with a reason.",
    ROLE_CHANGED="Made a member a moderator, or a moderator a member.",
    TRANSFERRED="Handed the group over.",
    ARCHIVED="Let the group rest.",
    RESTORED="Took the group up again.",
    DISSOLVED="Ended the group.",
    POST_DELETED="Took a member's post away.",
    COMMENT_DELETED="Took somebody's comment away.",
)


@strawberry.type(description="That somebody belongs to a group.")
class GroupMembership:
    role: MemberRole = strawberry.field(description="What the member is to the group.")
    joined_at: datetime = strawberry.field(description="Since when.")
    neighbour: Neighbour = loaded(identity.neighbours_of, description="The member.")
    group: Group | None = loaded(people.groups_of_memberships, description="The group; null if it is gone.")

    @strawberry.field(
        description="Of what the member is told; null for everyone but the member.", metadata=VIEWER
    )
    @staticmethod
    def alerts(root: strawberry.Parent[MembershipRow], info: Info) -> Alerts | None:
        own = root.account_id == info.context.viewer.account_id
        return (root.alerts or Alerts.REPLIES) if own else None

    is_type_of = IsA(MembershipRow)


@strawberry.type(description="A question of a group's, and what somebody who wants to join answers.")
class JoinAnswer:
    question: str = strawberry.field(description="As it was asked.")
    answer: str = strawberry.field(description="1 to 500 characters.")


@fetched_by(people.requests_by_ids)
@strawberry.type(
    description="That somebody wants to join a group; for that neighbour and for those who decide."
)
class JoinRequest(Node):
    status: JoinStatus = strawberry.field(description="What has become of it.")
    reason: str = strawberry.field(description="What the neighbour was told; may be empty.")
    created_at: datetime = strawberry.field(description="Since when.")
    decided_at: datetime | None = strawberry.field(description="When it was decided or taken back.")
    neighbour: Neighbour = loaded(identity.neighbours_of, description="Who wants to join.")
    group: Group | None = loaded(
        reading.visible_groups_around, viewer=True, description="The group, if the viewer may know of it."
    )

    @strawberry.field(description="What the neighbour answers; empty once it is decided.")
    @staticmethod
    def answers(root: strawberry.Parent[JoinRequestRow]) -> list[JoinAnswer]:
        return [JoinAnswer(question=question, answer=answer) for question, answer in root.answers]

    is_type_of = IsA(JoinRequestRow)


@fetched_by(people.invitations_by_ids)
@strawberry.type(
    description="That somebody is asked into a group; for that neighbour and for those who invite."
)
class GroupInvitation(Node):
    status: JoinStatus = strawberry.field(description="What has become of it.")
    created_at: datetime = strawberry.field(description="Since when.")
    decided_at: datetime | None = strawberry.field(description="When it was answered or taken back.")
    neighbour: Neighbour = loaded(identity.neighbours_of, description="Who is invited.")
    invited_by: Neighbour = loaded(people.inviters_of, description="Who invited.")
    group: Group | None = loaded(
        reading.visible_groups_around, viewer=True, description="The group, if the viewer may know of it."
    )

    is_type_of = IsA(GroupInvitationRow)


@fetched_by(people.steps_by_ids)
@strawberry.type(
    description="What the owner or a moderator did in a group. The member concerned and those who look after"
    " the group see it. It is never changed or removed."
)
class GroupStep(Node):
    action: GroupAction = strawberry.field(description="What was done.")
    role: MemberRole | None = strawberry.field(description="What the neighbour is since, if that changed.")
    group_name: str = strawberry.field(description="What the group was called then.")
    reason: str = strawberry.field(description="Why; may be empty.")
    created_at: datetime = strawberry.field(description="When.")
    actor: Neighbour = loaded(people.actors_of, description="Who did it.")
    neighbour: Neighbour | None = loaded(people.subjects_of_steps, description="Whom it concerns, if one.")
    group: Group | None = loaded(
        reading.visible_groups_around, viewer=True, description="The group, if the viewer may know of it."
    )

    is_type_of = IsA(GroupStepRow)
