"""Mutations: each says once what it takes, what it answers, and why it may do nothing.

A mutation's result is a union of its payload and the problems that it can really return: `createPost` answers
`CreatePostResult`. A domain error whose problem is not in the union, and every error of a query, is a
GraphQL error with the same code.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, dataclass_transform

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.union import StrawberryUnion
from strawberry.utils.str_converters import to_camel_case

from resolvers.errors import DomainError
from schema.fields import Info
from schema.problems import Problem, problem_of

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

INPUT = "What to do."
IDEMPOTENCY_KEY = (
    "Chosen by the client, 1 to 64 characters."
    " Sent again with the same input it gives the same result, and nothing happens twice."
)


def shown(graphql_type: object, description: str) -> Any:
    """A payload's field for a value, most often a row, that clients see as `graphql_type`."""
    return strawberry.field(graphql_type=graphql_type, description=description)


@dataclass_transform(kw_only_default=True, field_specifiers=(shown, strawberry.field))
def payload(description: str) -> Callable[[type[R]], type[R]]:
    """Decorate the type of what a mutation answers when it was done."""

    def decorate(cls: type[R]) -> type[R]:
        return strawberry.type(cls, description=description)

    return decorate


class Result(Generic[R]):
    """What a mutation, or several, may answer: `payload`, or one of `problems`."""

    def __init__(self, name: str, payload: type[R], *problems: type[Problem], description: str) -> None:
        self._problems = problems
        members = tuple(StrawberryAnnotation(member) for member in (payload, *problems))
        self._type = StrawberryUnion(name, members, description=description) if problems else payload

    def mutation(
        self, *, input: str = INPUT
    ) -> Callable[[Callable[Concatenate[S, Info, P], Awaitable[R]]], Any]:
        """Decorate the resolver of one of the mutations that answer this: its docstring describes it.

        `input` describes its one argument.
        """

        def decorate(resolve: Callable[Concatenate[S, Info, P], Awaitable[R]]) -> Any:
            problems = self._problems

            @functools.wraps(resolve)
            async def answer(self: S, info: Info, *args: P.args, **kwargs: P.kwargs) -> R | Problem:
                try:
                    return await resolve(self, info, *args, **kwargs)
                except DomainError as error:
                    problem = await problem_of(info, error)
                    if problem is None or type(problem) not in problems:
                        raise
                    return problem

            description = " ".join((resolve.__doc__ or "").split())
            field: Any = strawberry.mutation(
                resolver=answer, graphql_type=self._type, description=description
            )
            for argument in field.arguments:
                argument.description = input
            return field

        return decorate


def mutation(
    *problems: type[Problem], input: str = INPUT
) -> Callable[[Callable[Concatenate[S, Info, P], Awaitable[object]]], Any]:
    """Decorate the resolver of a mutation whose result is its own: its docstring describes it.

    Its return annotation is the payload. `input` describes its one argument.
    """

    def decorate(resolve: Callable[Concatenate[S, Info, P], Awaitable[object]]) -> Any:
        name = to_camel_case(resolve.__name__)
        own = Result[object](
            f"{name[0].upper()}{name[1:]}Result",
            resolve.__annotations__["return"],
            *problems,
            description=f"What came of `{name}`.",
        )
        return own.mutation(input=input)(resolve)

    return decorate
