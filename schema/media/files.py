"""Pictures and documents as parts of what shows them: whoever sees that gets addresses of its files."""

import strawberry

from models.media import MediaKind, MediaRow
from resolvers.media.links import Variant, link
from schema.execution.type_resolution import IsA
from schema.fields import Info
from schema.node import global_id

ADDRESS = "relative to the server. It needs no token and is good for 10 to 20 minutes; then request it again."


def type_name(row: MediaRow) -> str:
    return "Picture" if row.kind is MediaKind.PICTURE else "Document"


def resolve_id(root: strawberry.Parent[MediaRow]) -> strawberry.ID:
    return global_id(type_name(root), root.id)


def resolve_url(root: strawberry.Parent[MediaRow], info: Info) -> str:
    return link(info.context.services.tokens, root.id, root.subject_id)


def resolve_thumbnail(root: strawberry.Parent[MediaRow], info: Info) -> str:
    return link(info.context.services.tokens, root.id, root.subject_id, Variant.THUMBNAIL)


def reference_of(row: MediaRow) -> str:
    """How a text in Markdown names a picture."""
    return f"media:{row.id.hex}"


def resolve_reference(root: strawberry.Parent[MediaRow]) -> str:
    return reference_of(root)


@strawberry.type(description="A picture, upright and without what its file said beside the pixels.")
class Picture:
    id: strawberry.ID = strawberry.field(
        resolver=resolve_id, description="As the upload gave it; no `Node`: it is read with what shows it."
    )
    url: str = strawberry.field(
        resolver=resolve_url, description=f"Its address, 2,048 pixels at most on a side; {ADDRESS}"
    )
    thumbnail_url: str = strawberry.field(
        resolver=resolve_thumbnail, description=f"The same, 480 pixels at most; {ADDRESS}"
    )
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    reference: str = strawberry.field(
        resolver=resolve_reference,
        description="What shows it in a text in Markdown: `![…](REFERENCE)`.",
    )

    is_type_of = IsA(MediaRow, when=lambda media: media.kind is MediaKind.PICTURE)


@strawberry.type(description="A PDF document, to be saved and not shown in a page.")
class Document:
    id: strawberry.ID = strawberry.field(
        resolver=resolve_id, description="As the upload gave it; no `Node`: it is read with what shows it."
    )
    url: str = strawberry.field(resolver=resolve_url, description=f"Its address, {ADDRESS}")
    name: str = strawberry.field(description="What it is saved as.")
    size: int = strawberry.field(description="In bytes.")

    is_type_of = IsA(MediaRow, when=lambda media: media.kind is MediaKind.DOCUMENT)
