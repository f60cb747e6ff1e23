"""Who people are, where they live, and how they sign in."""

from resolvers.identity.addresses import (
    buildings_by_id,
    communities_by_id,
    community_visible,
    estates_by_id,
    grids_by_id,
    homes_by_id,
    organisations_by_id,
)
from resolvers.identity.faces import (
    Authored,
    authors_of,
    faces_of,
    neighbours,
    neighbours_by_id,
    neighbours_of,
)

__all__ = [
    "Authored",
    "authors_of",
    "buildings_by_id",
    "communities_by_id",
    "community_visible",
    "estates_by_id",
    "faces_of",
    "grids_by_id",
    "homes_by_id",
    "neighbours",
    "neighbours_by_id",
    "neighbours_of",
    "organisations_by_id",
]
