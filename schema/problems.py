"""Refusals as data: what a mutation may answer instead of its payload."""

import strawberry

from resolvers import errors
from schema.fields import Info
from schema.node import Node, fetch_again


@strawberry.interface(description="Why a mutation did nothing.")
class Problem:
    code: str = strawberry.field(description="For programs: never changes, whatever the language.")
    message: str = strawberry.field(description="For people.")


@strawberry.type(description="What is wrong with one field of the input.")
class FieldProblem:
    name: str = strawberry.field(description="The field's name.")
    message: str = strawberry.field(description="For people.")


@strawberry.type(description="The input cannot be accepted.")
class InvalidInput(Problem):
    fields: list[FieldProblem] = strawberry.field(description="Which fields, and why.")


@strawberry.type(description="There is no such thing, or the viewer may not know of it.")
class NotFound(Problem):
    pass


@strawberry.type(description="The viewer sees it and may not do this with it.")
class NotAllowed(Problem):
    pass


@strawberry.type(description="It has changed meanwhile, or the key was used for something else.")
class Conflict(Problem):
    current: Node | None = strawberry.field(description="What is there now, as far as the viewer may see.")


@strawberry.type(description="Too often.")
class RateLimited(Problem):
    retry_after: int = strawberry.field(description="Seconds until it is worth trying again.")


async def problem_of(info: Info, error: errors.DomainError) -> Problem | None:
    """The problem that tells of `error`, or None if errors of its kind are GraphQL errors."""
    language = info.context.language
    told = {"code": error.code, "message": error.message.in_language(language)}
    match error:
        case errors.InvalidInput():
            fields = [
                FieldProblem(name=name, message=message.in_language(language))
                for name, message in error.fields.items()
            ]
            return InvalidInput(**told, fields=fields)
        case errors.NotFound():
            return NotFound(**told)
        case errors.NotAllowed():
            return NotAllowed(**told)
        case errors.Conflict():
            return Conflict(**told, current=await fetch_again(info.context, error.kind, error.current))
        case errors.RateLimited():
            return RateLimited(**told, retry_after=error.retry_after)
    return None
