"""Interest groups, as clients see them."""

from schema.groups.events import GroupChanged, GroupDissolved, GroupsSubscription, JoinRequestChanged
from schema.groups.groups import CommunityGroups, Group, ViewerGroups
from schema.groups.mutations import GroupsMutation

__all__ = [
    "GROUP_KINDS",
    "CommunityGroups",
    "Group",
    "GroupChanged",
    "GroupDissolved",
    "GroupsMutation",
    "GroupsSubscription",
    "JoinRequestChanged",
    "ViewerGroups",
]
