"""Types that others lead to before they are there, since in a graph types name each other.

Whoever imports a name from here takes the type itself when types are checked, and at run time a link, which
Strawberry follows once the whole schema is there.
"""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from schema.communities import Community as Community
    from schema.communities import Organisation as Organisation
    from schema.communities import Viewer as Viewer
    from schema.deliberations.topics import Deliberation as Deliberation
    from schema.directory.entries import DirectoryEntry as DirectoryEntry
    from schema.groups.groups import Group as Group
    from schema.identity.addresses import Home as Home
    from schema.organisations import Appointment as Appointment
    from schema.posts import Post as Post
    from schema.posts import Revision as Revision
    from schema.requests.requests import ServiceRequest as ServiceRequest
else:
    Community = Annotated["Community", strawberry.lazy("schema.communities")]
    Organisation = Annotated["Organisation", strawberry.lazy("schema.communities")]
    Viewer = Annotated["Viewer", strawberry.lazy("schema.communities")]
    Deliberation = Annotated["Deliberation", strawberry.lazy("schema.deliberations.topics")]
    DirectoryEntry = Annotated["DirectoryEntry", strawberry.lazy("schema.directory.entries")]
    Group = Annotated["Group", strawberry.lazy("schema.groups.groups")]
    Home = Annotated["Home", strawberry.lazy("schema.identity.addresses")]
    Appointment = Annotated["Appointment", strawberry.lazy("schema.organisations")]
    Post = Annotated["Post", strawberry.lazy("schema.posts")]
    Revision = Annotated["Revision", strawberry.lazy("schema.posts")]
    ServiceRequest = Annotated["ServiceRequest", strawberry.lazy("schema.requests.requests")]
