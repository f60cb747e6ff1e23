"""What is asked for by an operation, known once for it and for the variables that skip and include.

Fields are collected by graphql-core, once and not for each object, which is what planning buys.
"""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Final
from weakref import WeakKeyDictionary

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    get_named_type,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.language import SKIP, VisitorAction

from schema.execution.field_sources import FieldSource, source_of
from schema.execution.shapes import Selection, Shape, Step, variables_in
from schema.execution.type_resolution import Types

_PLANS: Final = 8
# Of all plans together; one takes a kilobyte or two, with its part of the generated code.
_STEPS: Final = 40_000


class Unplanned(Exception):
    """The operation is none that can be planned. `reason` is a word for a metric's label."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


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
                asked = self._selections[nodes] = Selection(self.subshape, details)
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
    a task for each gains nothing and costs a feed one part in twenty. `varying` are the fields, as
    (type, field), whose values depend on the context: for one event they are all that is executed for each of
    many.
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
        # How the fields get their values, by type and field: there are as many as the schema has.
        self._sources: dict[tuple[str, str], FieldSource] = {}
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


class _Conditions(Visitor):
    """Collects the variables in @skip and @include, leaving out other operations."""

    def __init__(self, operation: OperationDefinitionNode) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self._operation = operation

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> VisitorAction:
        return None if node is self._operation else SKIP

    def enter_directive(self, node: DirectiveNode, *_: Any) -> VisitorAction:
        self.variables |= variables_in(node.arguments or ())
        return None


def _resolves_type_asynchronously(type_: Any) -> bool:
    if isinstance(type_, GraphQLObjectType):
        return iscoroutinefunction(type_.is_type_of)
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return iscoroutinefunction(type_.resolve_type)
    return False
