"""Local services, as clients see them.

terms      the enums and what their values mean
hours      when something is open
entries    what organisations offer
licences   the licences of merchants
lists      where they are listed
mutations  what can be done
events     what can be followed live
"""

from schema.directory.entries import DirectoryEntry
from schema.directory.events import (
    DIRECTORY_KINDS,
    DirectorySubscription,
    EntryChanged,
    EntryPublished,
    EntryWithdrawn,
    LicenceStepAdded,
)
from schema.directory.lists import CommunityDirectory, OrganisationDirectory, ViewerHomes
from schema.directory.mutations import DirectoryMutation

__all__ = [
    "DIRECTORY_KINDS",
    "CommunityDirectory",
    "DirectoryEntry",
    "DirectoryMutation",
    "DirectorySubscription",
    "EntryChanged",
    "EntryPublished",
    "EntryWithdrawn",
    "LicenceStepAdded",
    "OrganisationDirectory",
    "ViewerHomes",
]
