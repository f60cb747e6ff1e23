"""What is asked of the objects of each type: shapes, the steps that fill them, and what they lead to.

A `Shape` is made for each type of object that is met where a field leads to objects: the `Step`s that fill
an object of the response, in its order. The field's `Selection` holds the shapes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_non_null_type,
    is_wrapping_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import VisitorAction

from schema.execution.field_sources import Attribute, Called, FieldSource, Loaded
from schema.execution.loading import Batch

_IMMUTABLE: Final = (str, int, float, bool, type(None), Enum)

# The response's objects by the identity of those that a field led to.
Link = dict[int, Any]
# Fills the last of the links; raises something if anything is amiss.
Builder = Callable[[Sequence[int], Sequence[Any], Sequence[Any], Sequence[Link], Link], None]
# What is asked of the objects of a type. Raises GraphQLError if that depends on a bad variable.
Subshape = Callable[[GraphQLObjectType, FieldDetailsList], "Shape"]


class Step:
    """One entry of an object in the response."""

    __slots__ = (
        "_below",
        "_constant",
        "_converted",
        "_fixed",
        "_given",
        "asked",
        "depth",
        "details",
        "field",
        "index",
        "inline",
        "key",
        "named",
        "nodes",
        "parent_type",
        "source",
        "typename",
        "varies",
    )

    def __init__(
        self,
        index: int,
        key: str,
        details: FieldDetailsList,
        parent_type: GraphQLObjectType,
        field: GraphQLField,
        source: FieldSource,
        asked: "Selection | None",
        *,
        varies: bool,
    ) -> None:
        self.index = index
        self.key = key
        self.details = details
        self.nodes = [detail.node for detail in details]
        self.parent_type = parent_type
        self.field = field
        self.source = source
        self.named: Any = get_named_type(field.type)
        self.depth = _lists(field.type)
        # What is selected of the objects it leads to, if it leads to objects.
        self.asked = asked
        self.typename = self.nodes[0].name.value == "__typename"
        # Whether its values may be others in another context.
        self.varies = varies
        # A plain attribute that is a leaf is read by the code that builds the response.
        self.inline = isinstance(source, Attribute) and asked is None and self.depth == 0 and not varies
        self._fixed = not variables_in(self.nodes[0].arguments or ())
        self._constant: dict[str, Any] | None = None
        self._converted: dict[str, Any] | None = None
        self._given: tuple[Any, ...] | None = None
        self._below: Below | None = None

    @property
    def name(self) -> str:
        found: str = self.nodes[0].name.value
        return found

    def arguments(self, variables: VariableValues) -> dict[str, Any]:
        """The field's arguments, coerced. Raises GraphQLError."""
        if self._constant is not None:
            return self._constant
        node = self.nodes[0]
        if not self.field.args and not node.arguments:
            values: dict[str, Any] = {}
        else:
            values = get_argument_values(self.field, node, variables, None, True)
        if self._fixed and all(isinstance(value, _IMMUTABLE) for value in values.values()):
            self._constant = values
        return values

    def keywords(self, source: Called, variables: VariableValues, info: Any) -> dict[str, Any]:
        """The arguments of its resolver, but for the parent. Raises GraphQLError."""
        return source.keywords(self._as_taken(source, variables, info), info)

    def given(self, source: Loaded, variables: VariableValues, info: Any) -> tuple[Any, ...]:
        """The arguments of its batch resolver. Raises GraphQLError, and what the resolver's side raises."""
        if self._given is not None:
            return self._given
        taken = self._as_taken(source, variables, info)
        if source.selective:
            taken = {**taken, "selected": self.asked.selected(self.named) if self.asked else None}
        given = source.arguments(**taken)
        if self._constant is not None:
            self._given = given
        return given

    def _as_taken(self, source: Called | Loaded, variables: VariableValues, info: Any) -> dict[str, Any]:
        if self._converted is not None:
            return self._converted
        arguments = self.arguments(variables)
        converted = source.converted(arguments, info) if arguments else arguments
        if self._constant is not None:
            self._converted = converted
        return converted

    @property
    def below(self) -> "Below":
        """What is asked for, in its turn, of the objects it leads to."""
        if self._below is None:
            self._below = NOTHING_BELOW if self.asked is None else self.asked.below(self.named)
        return self._below


@dataclass(frozen=True, slots=True)
class Below:
    """What is loaded below a field, as far as that is known before its objects are met."""

    # The batch resolvers without arguments that will be called.
    batches: frozenset[Batch]
    # Whether nothing is loaded or called there at all.
    ends: bool


NOTHING_BELOW = Below(frozenset(), ends=True)
UNKNOWN_BELOW = Below(frozenset(), ends=False)


class Shape:
    """What is asked of the objects of one type."""

    __slots__ = ("builder", "columns", "steps", "type")

    def __init__(self, type_: GraphQLObjectType, steps: list[Step]) -> None:
        self.type = type_
        self.steps = steps
        self.columns = [step for step in steps if not step.inline and not step.typename]
        # What builds the response's objects, once they have been built (schema.execution.generated).
        self.builder: Builder | None = None


class Selection:
    """What is asked of the objects that a field leads to."""

    __slots__ = ("_details", "_shapes", "_subshape")

    def __init__(self, subshape: Subshape, details: FieldDetailsList) -> None:
        self._subshape = subshape
        self._details = details
        self._shapes: dict[str, Shape] = {}

    def of(self, type_: GraphQLObjectType) -> Shape:
        """What is asked of those of this type. Raises GraphQLError if that depends on a bad variable."""
        shape = self._shapes.get(type_.name)
        if shape is None:
            shape = self._shapes[type_.name] = self._subshape(type_, self._details)
        return shape

    def selected(self, named: Any) -> frozenset[str] | None:
        """The fields that are selected of the objects, which are expected to be of the type `named`."""
        shape = self._expected(named)
        return frozenset(step.name for step in shape.steps) if shape else None

    def below(self, named: Any) -> Below:
        """What is loaded for the objects, which are expected to be of the type `named`."""
        shape = self._expected(named)
        if shape is None:
            return UNKNOWN_BELOW
        sources = [step.source for step in shape.columns]
        below = [step.below for step in shape.columns]
        batches = {
            step.source.batch
            for step in shape.columns
            if isinstance(step.source, Loaded) and not step.field.args
        }
        return Below(
            frozenset(batches).union(*(each.batches for each in below)),
            ends=not any(isinstance(each, Loaded | Called) for each in sources)
            and all(each.ends for each in below),
        )

    def _expected(self, named: Any) -> Shape | None:
        """The shape of the objects if they can only be of the type `named`, and no variable is bad."""
        if is_abstract_type(named):
            return None
        try:
            return self.of(named)
        except GraphQLError:
            return None


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> VisitorAction:
        self.names.add(node.name.value)
        return None


def variables_in(nodes: Iterable[Any]) -> set[str]:
    found = _Variables()
    for node in nodes:
        visit(node, found)
    return found.names


def _lists(type_: Any) -> int:
    depth = 0
    while is_wrapping_type(type_):
        depth += not is_non_null_type(type_)
        type_ = type_.of_type
    return depth


class Block:
    """The objects of one shape below one field, each once."""

    __slots__ = ("columns", "ids", "link", "links", "parents", "refused", "shape")

    def __init__(
        self, shape: Shape, parents: Sequence[Any], ids: Sequence[int], link: dict[int, Any]
    ) -> None:
        self.shape = shape
        self.parents = parents
        self.ids = ids
        # From the identity of each object that the field led to, to its response.
        self.link = link
        self.columns: list[Any] = [None] * len(shape.steps)
        self.links: list[dict[int, Any]] = [{} for _ in shape.steps]
        # Why there is no response for some of the objects that a field of these led to.
        self.refused: list[tuple[dict[int, Any], int, Exception]] = []
