"""What roles are called in sentences and tables."""

from collections.abc import Mapping
from typing import Final

from models.messages import Message
from models.roles import Role

ROLES: Final[Mapping[Role, Message]] = {
    Role.ADMIN: Message("administrator"),
    Role.OFFICER: Message("officer"),
    Role.GRID_WORKER: Message("grid worker"),
}
