"""What is asked of the objects of each type, known once per operation.

A `Plan` belongs to an operation and to the variables that skip and include. It holds a `Selection` for
each field that leads to objects, and that a `Shape` for each type of object that was met there: the
`Step`s that fill an object of the response, in its order. Fields are collected by graphql-core.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, Final
from weakref import WeakKeyDictionary

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_non_null_type,
    is_wrapping_type,
    visit,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import SKIP, VisitorAction

from schema.execution.field_sources import Attribute, Called, FieldSource, Loaded, source_of, source_of_events
from schema.execution.generated import Builder, builder
from schema.execution.loading import Batch
from schema.execution.type_resolution import Types

_PLANS: Final = 8
# Of all plans together; one takes a kilobyte or two, with its part of the generated code.
_STEPS: Final = 40_000
_IMMUTABLE: Final = (str, int, float, bool, type(None), Enum)


class Unplanned(Exception):
    """The operation is none that can be planned. `reason` is a word for a metric's label."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


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
        self._fixed = not _variables_in(self.nodes[0].arguments or ())
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

    __slots__ = ("_build", "columns", "steps", "type")

    def __init__(self, type_: GraphQLObjectType, steps: list[Step]) -> None:
        self.type = type_
        self.steps = steps
        self.columns = [step for step in steps if not step.inline and not step.typename]
        self._build: Builder | None = None

    @property
    def build(self) -> Builder:
        """Builds the response's objects into a link; raises something if anything is amiss."""
        if self._build is None:
            self._build = builder(self.type, self.steps)
        return self._build


class Selection:
    """What is asked of the objects that a field leads to."""

    __slots__ = ("_details", "_plan", "_shapes")

    def __init__(self, plan: "Plan", details: FieldDetailsList) -> None:
        self._plan = plan
        self._details = details
        self._shapes: dict[str, Shape] = {}

    def of(self, type_: GraphQLObjectType) -> Shape:
        """What is asked of those of this type. Raises GraphQLError if that depends on a bad variable."""
        shape = self._shapes.get(type_.name)
        if shape is None:
            shape = self._shapes[type_.name] = self._plan.subshape(type_, self._details)
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


class Plan:
    """An operation, for all variables that skip and include the same.

    `roots` are the shapes of its root, filled one after the other: a mutation's fields each by itself.
    Raises GraphQLError if a variable that skips or includes at the root is bad.
    """

    def __init__(
        self,
        planner: "Planner",
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: VariableValues,
        grown: Callable[[int], None],
    ) -> None:
        self.planner = planner
        self._grown = grown
        self.schema = planner.schema
        self.types = planner.types
        self.operation = operation
        self.fragments = {name: details.definition for name, details in fragments.items()}
        self._fragments = fragments
        self._variables = variables
        self._selections: dict[tuple[int, ...], Selection] = {}
        root_type = self.schema.get_root_type(operation.operation)
        if root_type is None:
            raise Unplanned("no_root_type")
        root = self._shape(
            root_type,
            collect_fields(self.schema, fragments, variables, root_type, operation, True).grouped_field_set,
        )
        self.roots = [root]
        if operation.operation is OperationType.MUTATION:
            self.roots = [self._alone(root_type, step) for step in root.steps]

    def subshape(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Shape:
        collected = collect_subfields(
            self.schema, self._fragments, self._variables, self.operation, type_, details, True
        )
        return self._shape(type_, collected.grouped_field_set)

    def _shape(self, type_: GraphQLObjectType, grouped: GroupedFieldSet) -> Shape:
        steps: list[Step] = []
        for key, details in grouped.items():
            field = self.schema.get_field(type_, details[0].node.name.value)
            # graphql-core leaves out what the type does not have.
            if field is not None:
                steps.append(self._step(len(steps), key, details, type_, field))
        self._grown(len(steps))
        return Shape(type_, steps)

    def _step(
        self,
        index: int,
        key: str,
        details: FieldDetailsList,
        type_: GraphQLObjectType,
        field: GraphQLField,
    ) -> Step:
        asked = None
        if not is_leaf_type(get_named_type(field.type)):
            # The same nodes select the same, whatever the type of the parent.
            nodes = tuple(id(detail.node) for detail in details)
            asked = self._selections.get(nodes)
            if asked is None:
                asked = self._selections[nodes] = Selection(self, details)
        name = details[0].node.name.value
        source = self.planner.source(type_, name, field)
        varies = (type_.name, name) in self.planner.varying
        return Step(index, key, details, type_, field, source, asked, varies=varies)

    def _alone(self, type_: GraphQLObjectType, step: Step) -> Shape:
        return self._shape(type_, {step.key: step.details})


class Plans:
    """The plans of one operation: one for each combination of the variables that skip and include."""

    def __init__(
        self, planner: "Planner", document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        self.operation = operation
        self._planner = planner
        self._fragments = {
            node.name.value: FragmentDetails(node)
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        if operation.directives or any(
            details.definition.variable_definitions for details in self._fragments.values()
        ):
            raise Unplanned("experimental")
        conditions = _Conditions(operation)
        visit(document, conditions)
        self._conditions = sorted(conditions.variables)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def plan(self, variables: VariableValues) -> Plan:
        """Raises GraphQLError if a variable that skips or includes at the root is bad."""
        key = tuple(variables.coerced.get(name) for name in self._conditions)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self.forget()
            plan = self._plans[key] = Plan(
                self._planner, self.operation, self._fragments, variables, self._grown
            )
        return plan

    def forget(self) -> None:
        """Plan anew what is asked for again."""
        self._plans.clear()
        self._planner.steps.pop(self, None)

    def _grown(self, steps: int) -> None:
        self._planner.grown(self, steps)


class Planner:
    """Makes the plans for operations on one schema.

    With `in_turn`, what a level awaits is awaited one after the other: where loading hardly ever waits,
    a task for each costs more than it gains. `varying` are the fields, as (type, field), whose values depend
    on the context: for one event they are all that is executed for each of many.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        in_turn: bool = False,
        varying: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.schema = schema
        self.in_turn = in_turn
        self.varying = varying
        self.types = Types(schema)
        self._sources: dict[tuple[str, str], FieldSource] = {}
        self._event_sources: dict[tuple[str, str], Called | None] = {}
        # How many steps the plans of each operation have, of which a short text can make many.
        self.steps: WeakKeyDictionary[Plans, int] = WeakKeyDictionary()
        self._unplanned = frozenset(
            type_.name for type_ in schema.type_map.values() if _resolves_type_asynchronously(type_)
        )

    def plans(self, document: DocumentNode, operation: OperationDefinitionNode) -> Plans:
        """Raises Unplanned."""
        if self._unplanned:
            raise Unplanned("asynchronous_type")
        return Plans(self, document, operation)

    def grown(self, plans: Plans, steps: int) -> None:
        """Count more steps; if there are too many, those that have not grown for longest are forgotten."""
        self.steps[plans] = self.steps.pop(plans, 0) + steps
        while len(self.steps) > 1 and sum(self.steps.values()) > _STEPS:
            next(iter(self.steps)).forget()

    def source(self, type_: GraphQLObjectType, name: str, field: GraphQLField) -> FieldSource:
        found = self._sources.get((type_.name, name))
        if found is None:
            found = self._sources[type_.name, name] = source_of(self.schema, field)
        return found

    def event_source(self, type_: GraphQLObjectType, name: str, field: GraphQLField) -> Called | None:
        key = type_.name, name
        if key not in self._event_sources:
            self._event_sources[key] = source_of_events(self.schema, field)
        return self._event_sources[key]


class _Conditions(Visitor):
    """Collects the variables in @skip and @include, leaving out other operations."""

    def __init__(self, operation: OperationDefinitionNode) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self._operation = operation

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> VisitorAction:
        return None if node is self._operation else SKIP

    def enter_directive(self, node: DirectiveNode, *_: Any) -> VisitorAction:
        self.variables |= _variables_in(node.arguments or ())
        return None


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> VisitorAction:
        self.names.add(node.name.value)
        return None


def _variables_in(nodes: Iterable[Any]) -> set[str]:
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


def _resolves_type_asynchronously(type_: Any) -> bool:
    if isinstance(type_, GraphQLObjectType):
        return iscoroutinefunction(type_.is_type_of)
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return iscoroutinefunction(type_.resolve_type)
    return False
