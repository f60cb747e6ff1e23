"""What one operation may ask for.

Everything here is decided before anything is resolved: the text is measured before it is parsed, the parsed
document in a single pass that visits every selection once, however often its fragment is spread. The cost is
kept as a function of the variables and evaluated for each request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)
from graphql.language import DirectiveNode

from models.messages import Message

TOO_COMPLEX: Final = "TOO_COMPLEX"

# Nested fragments reach numbers of hundreds of digits, which JSON cannot carry.
_CEILING: Final = 1_000_000_000

_SIZED_BY: Final = frozenset({"first", "last"})
_LISTED_BY: Final = frozenset({"ids"})

# Every branch always matches to some end, so that the scan never backtracks: it is linear in the text.
_BRACKET: Final = re.compile(
    r'"""(?:[^"\\]|\\"""|\\|"(?!""))*+(?:"""|\Z)'
    r'|"(?:[^"\\\n\r]|\\.)*+"?'
    r"|#[^\n\r]*+"
    r"|([{(\[])|([})\]])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one operation may have of each thing."""

    text_bytes: int = 32 * 1024
    # What parsing and most rules take grows with it. An app's documents have some hundreds; all scalars of
    # all objects there are, at two places, are 1,700.
    tokens: int = 3_000
    comments: int = 1_000
    # Operations and fragments: several rules look at every fragment for each operation.
    definitions: int = 100
    # Values in the variables, those of lists and objects among them: each is coerced.
    values: int = 10_000
    # Brackets within a definition, and selection sets across fragments.
    nesting: int = 64
    depth: int = 15
    # The introspection query of GraphiQL, graphql-js and relay-compiler goes down to 15 through `ofType`.
    introspection_depth: int = 20
    aliases: int = 30
    # Introspection costs nothing, so nothing else would keep it from being asked for thirty times at once.
    introspection_aliases: int = 4
    directives: int = 30
    root_fields: int = 20
    cost: int = 20_000
    # What a connection counts for when neither the operation nor the schema says how many are wanted.
    page: int = 100
    cached_operations: int = 1_000
    # A parsed document takes up to a hundred times the memory of its text; its plans are bounded besides.
    cached_bytes: int = 1024 * 1024
    # An error may print the whole value that it is about.
    validation_errors: int = 5
    # Two units for each pair of fields that validation compares. An app's documents need some hundreds; all
    # scalars of all objects, at two places, 19,000. So much takes less than 0.1 s.
    validation_budget: int = 30_000


def exceeded(
    limit: str, message: Message, maximum: int, actual: int | None = None, node: Node | None = None
) -> GraphQLError:
    """The error that names the limit, what it allows and, where it is known, what was asked for."""
    extensions: dict[str, Any] = {"code": TOO_COMPLEX, "limit": limit, "maximum": maximum}
    if actual is not None:
        extensions["actual"] = min(actual, _CEILING)
    return GraphQLError(message, node, extensions=extensions)


def check_text(text: str, limits: Limits) -> GraphQLError | None:
    """Refuse a text that is too long or whose brackets nest too deep, without parsing it."""
    if len(text) > limits.text_bytes or len(text.encode(errors="replace")) > limits.text_bytes:
        message = Message("The query text is longer than the {most} bytes allowed.", most=limits.text_bytes)
        return exceeded("text_bytes", message, limits.text_bytes)
    nesting = 0
    for match in _BRACKET.finditer(text):
        if match.group(1):
            nesting += 1
            if nesting > limits.nesting:
                return exceeded(
                    "nesting",
                    Message("The query text nests brackets more than {most} deep.", most=limits.nesting),
                    limits.nesting,
                )
        elif match.group(2):
            nesting -= 1
    return None


def check_document(document: DocumentNode, limits: Limits) -> GraphQLError | None:
    """Refuse a document of too many definitions."""
    actual = len(document.definitions)
    if actual <= limits.definitions:
        return None
    message = Message("The document has more than {most} operations and fragments.", most=limits.definitions)
    return exceeded("definitions", message, limits.definitions, actual)


def check_values(variables: Mapping[str, Any] | None, limits: Limits) -> GraphQLError | None:
    """Refuse variables of too many values, without looking at each."""
    count = 0
    containers: list[Any] = [variables or {}]
    while containers:
        values = containers.pop()
        count += len(values)
        if count > limits.values:
            message = Message("The variables have more than {most} values.", most=limits.values)
            return exceeded("values", message, limits.values)
        inner = values.values() if isinstance(values, Mapping) else values
        containers.extend(value for value in inner if isinstance(value, (dict, list)))
    return None


@dataclass(slots=True)
class Cost:
    """The cost of a selection as a function of the variables.

    `constant`, and for each product the largest of its variables' values times the cost of a subtree.
    Subtrees are shared, never copied, so that the structure is no larger than the document.
    """

    constant: int = 0
    products: list[tuple[Factor, Cost]] = field(default_factory=list)

    def add(self, factor: Factor, subtree: Cost) -> None:
        """Count `subtree` as often as `factor` says."""
        if subtree.products or factor.variables:
            if subtree.constant or subtree.products:
                self.products.append((factor, subtree))
        else:
            self.constant = min(self.constant + factor.number * subtree.constant, _CEILING)

    def of(self, variables: Mapping[str, Any]) -> int:
        """The cost with these coerced variables; each subtree is evaluated once."""
        if not self.products:
            return self.constant
        return self._of(variables, {})

    def _of(self, variables: Mapping[str, Any], known: dict[int, int]) -> int:
        cost = known.get(id(self))
        if cost is None:
            cost = self.constant
            for factor, subtree in self.products:
                cost += factor.of(variables) * subtree._of(variables, known)
            cost = known[id(self)] = min(cost, _CEILING)
        return cost


@dataclass(frozen=True, slots=True)
class Factor:
    """How often a subtree counts: a number, or the largest of some variables where that is more."""

    number: int = 1
    variables: tuple[str, ...] = ()
    missing: int = 1

    def of(self, variables: Mapping[str, Any]) -> int:
        number = max(self.number, 1)
        for name in self.variables:
            value = variables.get(name)
            if isinstance(value, int):
                number = max(number, value)
            elif isinstance(value, (list, tuple)):
                number = max(number, len(value))
            else:
                number = max(number, self.missing)
        return min(number, _CEILING)


_ONCE: Final = Factor()


@dataclass(slots=True)
class Extent:
    """How far a selection set reaches, through all of its fragments."""

    depth: int = 0
    introspection_depth: int = 0
    nesting: int = 0
    width: int = 0
    cost: Cost = field(default_factory=Cost)

    def include(self, other: Extent) -> None:
        """Take in a fragment that is spread here."""
        self.depth = max(self.depth, other.depth)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.nesting = max(self.nesting, other.nesting + 1)
        self.width = min(self.width + other.width, _CEILING)
        self.cost.add(_ONCE, other.cost)


def page_sizes(schema: GraphQLSchema, limits: Limits) -> dict[tuple[str, str], int]:
    """How many a connection field yields when the operation does not say, by type and field."""
    sizes: dict[tuple[str, str], int] = {}
    for type_ in schema.type_map.values():
        if not isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            continue
        for name, field_ in type_.fields.items():
            sized = [field_.args[argument] for argument in _SIZED_BY if argument in field_.args]
            if sized:
                defaults = [size for argument in sized if (size := _default(argument)) is not None]
                sizes[type_.name, name] = max(defaults or [limits.page])
    return sizes


def _default(argument: GraphQLArgument) -> int | None:
    default = argument.default
    if default is None:
        return None
    if isinstance(default.literal, IntValueNode):
        return _size(default.literal)
    return default.value if isinstance(default.value, int) else None


class Survey:
    """One pass over one operation and the fragments it reaches, before validation.

    `errors` says which limits it exceeds, `cost` what it costs. `visits` counts the selections looked at:
    never more than the document has (twice that, if a fragment serves introspection and data).
    """

    def __init__(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        limits: Limits,
        schema: GraphQLSchema,
        sizes: Mapping[tuple[str, str], int],
    ) -> None:
        self.visits = 0
        self.aliases = 0
        self.introspection_aliases = 0
        self.directives = len(operation.directives or ())
        self._limits = limits
        self._schema = schema
        self._sizes = sizes
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._extents: dict[tuple[str, bool], Extent] = {}
        for variable in operation.variable_definitions or ():
            self.directives += len(variable.directives or ())
        root = schema.get_root_type(operation.operation)
        self.extent = self._measure(operation.selection_set, 1, root, introspection=False)
        self.errors = self._exceeded(operation)

    @property
    def cost(self) -> Cost:
        """What the operation costs, as a function of its variables."""
        return self.extent.cost

    def _exceeded(self, operation: OperationDefinitionNode) -> list[GraphQLError]:
        limits, extent = self._limits, self.extent
        checks = (
            ("nesting", extent.nesting, limits.nesting, Message("selection sets inside each other")),
            ("depth", extent.depth, limits.depth, Message("levels of fields")),
            (
                "introspection_depth",
                extent.introspection_depth,
                limits.introspection_depth,
                Message("levels of introspection"),
            ),
            ("aliases", self.aliases, limits.aliases, Message("aliases")),
            (
                "introspection_aliases",
                self.introspection_aliases,
                limits.introspection_aliases,
                Message("aliases in introspection"),
            ),
            ("directives", self.directives, limits.directives, Message("directives")),
            ("root_fields", extent.width, limits.root_fields, Message("root fields")),
        )
        errors = [
            exceeded(
                name,
                Message("The operation has more than {most} {parts}.", most=maximum, parts=what),
                maximum,
                actual,
                operation,
            )
            for name, actual, maximum, what in checks
            if actual > maximum
        ]
        if not extent.cost.products and (error := check_cost(extent.cost, {}, limits, operation)) is not None:
            errors.append(error)
        return errors

    def _measure(
        self, selection_set: SelectionSetNode, level: int, on: GraphQLNamedType | None, *, introspection: bool
    ) -> Extent:
        """`on` is the type whose fields are selected, None if there is no such type."""
        extent = Extent(nesting=1)
        if level > self._limits.nesting:
            # Deeper than allowed already: what lies below cannot make it acceptable, and is not walked.
            return extent
        for selection in selection_set.selections:
            self.visits += 1
            self._count_directives(selection.directives)
            if isinstance(selection, FieldNode):
                self._field(selection, extent, level, on, introspection)
            elif isinstance(selection, InlineFragmentNode):
                narrowed = self._named(selection.type_condition) if selection.type_condition else on
                extent.include(
                    self._measure(selection.selection_set, level + 1, narrowed, introspection=introspection)
                )
            elif isinstance(selection, FragmentSpreadNode):
                extent.include(self._fragment(selection.name.value, level + 1, introspection))
        return extent

    def _fragment(self, name: str, level: int, introspection: bool) -> Extent:
        known = self._extents.get((name, introspection))
        if known is not None:
            return known
        fragment = self._fragments.get(name)
        # Validation refuses unknown fragments and cycles; here they just end the walk.
        self._extents[name, introspection] = Extent()
        if fragment is None:
            return Extent()
        if level > self._limits.nesting:
            del self._extents[name, introspection]
            return Extent(nesting=1)
        self._count_directives(fragment.directives)
        on = self._named(fragment.type_condition)
        extent = self._measure(fragment.selection_set, level, on, introspection=introspection)
        self._extents[name, introspection] = extent
        return extent

    def _named(self, node: NamedTypeNode) -> GraphQLNamedType | None:
        return self._schema.type_map.get(node.name.value)

    def _field(
        self, node: FieldNode, extent: Extent, level: int, on: GraphQLNamedType | None, introspection: bool
    ) -> None:
        name = node.name.value
        extent.width += 1
        introspection = introspection or name in ("__schema", "__type")
        if node.alias is not None and name != "__typename":
            # relay-compiler writes `__isNode: __typename`: free of cost, so free of the limit.
            if introspection:
                self.introspection_aliases += 1
            else:
                self.aliases += 1
        field_ = on.fields.get(name) if isinstance(on, GraphQLObjectType | GraphQLInterfaceType) else None
        inner = get_named_type(field_.type) if field_ else None
        below = (
            self._measure(node.selection_set, level + 1, inner, introspection=introspection)
            if node.selection_set is not None
            else Extent()
        )
        extent.nesting = max(extent.nesting, below.nesting + 1 if below.nesting else 1)
        extent.introspection_depth = max(extent.introspection_depth, below.introspection_depth)
        if introspection:
            extent.introspection_depth = max(extent.introspection_depth, below.introspection_depth + 1)
            return
        extent.depth = max(extent.depth, below.depth + 1)
        if name != "__typename":
            extent.cost.add(_ONCE, Cost(1))
            default = self._sizes.get((on.name, name), 1) if on else 1
            extent.cost.add(self._factor(node, default), below.cost)

    def _factor(self, node: FieldNode, default: int) -> Factor:
        number = 0
        variables: list[str] = []
        for argument in node.arguments or ():
            if argument.name.value in _SIZED_BY or argument.name.value in _LISTED_BY:
                if isinstance(argument.value, VariableNode):
                    variables.append(argument.value.name.value)
                else:
                    number = max(number, _size(argument.value))
        if variables:
            return Factor(number, tuple(variables), default)
        return Factor(number or default)

    def _count_directives(self, directives: tuple[DirectiveNode, ...] | None) -> None:
        self.directives += len(directives or ())


def check_cost(
    cost: Cost, variables: Mapping[str, Any], limits: Limits, node: Node | None = None
) -> GraphQLError | None:
    """Refuse an operation that costs too much with these coerced variables."""
    actual = cost.of(variables)
    if actual <= limits.cost:
        return None
    message = Message(
        "The operation costs {cost}; at most {most} is allowed. Ask for smaller pages.",
        cost=actual,
        most=limits.cost,
    )
    return exceeded("cost", message, limits.cost, actual, node)


def _size(value: ValueNode) -> int:
    if isinstance(value, IntValueNode):
        # A number of thousands of digits would not even convert.
        return max(int(value.value), 1) if len(value.value) < 10 else _CEILING
    if isinstance(value, ListValueNode):
        return max(len(value.values), 1)
    return 0
