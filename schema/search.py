"""Search, as clients see it."""

from typing import Annotated

import strawberry

from models.search import SearchKind
from resolvers.search import finding
from schema.connections import Connection, connection
from schema.deliberations.topics import Deliberation
from schema.enums import described
from schema.fields import loaded
from schema.notices.notices import Notice
from schema.posts import Post

described(
    SearchKind,
    "What can be found.",
    POST="A post of the neighbour feed or of a group.",
    NOTICE="Official word.",
    DELIBERATION="A deliberation, by its title and its text.",
)

Found = Annotated[
    Post | Notice | Deliberation, strawberry.union("Found", description="Something that can be found.")
]


@strawberry.type(description="Something that was found.")
class SearchHit:
    kind: SearchKind = strawberry.field(description="What it is.")
    subject: Found | None = loaded(
        finding.subjects_of,
        viewer=True,
        description="The thing itself; null if it has gone while it was looked for.",
    )


def having(
    words: Annotated[
        str,
        strawberry.argument(
            description="What to look for, 2 to 100 characters. Width, case and punctuation do not count;"
            " single letters and digits are ignored."
        ),
    ],
    kinds: Annotated[list[SearchKind] | None, strawberry.argument(description="Only of these kinds.")] = None,
) -> tuple[str, frozenset[SearchKind] | None]:
    return words, None if kinds is None else frozenset(kinds)


@strawberry.type
class CommunitySearch:
    """What search adds to a community."""

    search: Connection[SearchHit] = connection(
        finding.found_in,
        arguments=having,
        viewer=True,
        description="What has all of the words and the viewer may see, the newest first.",
    )
