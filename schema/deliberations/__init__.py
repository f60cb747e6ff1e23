"""Deliberation (小区议事), as clients see it.

topics      deliberations, their steps, outcome and execution
statements  what residents vote on
opinions    the map of who thinks alike
mutations   what can be done
events      what can be followed live
"""

from schema.deliberations.events import (
    DeliberationEdited,
    DeliberationParticipationChanged,
    DeliberationsSubscription,
    DeliberationStepped,
    ExecutionItemChecked,
    OpinionMapChanged,
    StatementAdded,
    StatementChanged,
)
from schema.deliberations.mutations import DeliberationsMutation
from schema.deliberations.topics import CommunityDeliberations, PostDeliberations

__all__ = [
    "DELIBERATION_KINDS",
    "CommunityDeliberations",
    "DeliberationEdited",
    "DeliberationParticipationChanged",
    "DeliberationStepped",
    "DeliberationsMutation",
    "DeliberationsSubscription",
    "ExecutionItemChecked",
    "OpinionMapChanged",
    "PostDeliberations",
    "StatementAdded",
    "StatementChanged",
]
