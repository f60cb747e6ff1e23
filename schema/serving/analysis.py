"""What can be known of an operation before it is executed.

Which it is, whether its answer depends on who asks, which of its variables holds a cursor and nothing else.
"""

from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from graphql.language import SKIP, VisitorAction

from models.messages import Message
from schema.serving.results import UNRESOLVED, Rejected, error_of


def definition_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    definitions = [
        definition for definition in document.definitions if isinstance(definition, OperationDefinitionNode)
    ]
    if name is not None:
        definitions = [
            definition for definition in definitions if definition.name and definition.name.value == name
        ]
    if not definitions:
        none = Message("The document has no operation.")
        none_of_that_name = Message("The document has no operation of that name.")
        raise Rejected([error_of(none if name is None else none_of_that_name, UNRESOLVED)])
    if len(definitions) > 1 and name is None:
        raise Rejected(
            [error_of(Message("The document has several operations; name one of them."), UNRESOLVED)]
        )
    return definitions[0]


def viewer_fields_of(schema: GraphQLSchema) -> frozenset[tuple[str, str]]:
    """The fields whose value depends on who asks: (type, field); an interface's if those of its types do."""
    marked = {
        (type_.name, name)
        for type_ in schema.type_map.values()
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType))
        for name, field in type_.fields.items()
        if getattr(field.extensions.get("strawberry-definition"), "metadata", {}).get("viewer")
    }
    for type_ in schema.type_map.values():
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            own = {name for owner, name in marked if owner == type_.name}
            for interface in type_.interfaces:
                marked |= {(interface.name, name) for name in own & interface.fields.keys()}
    return frozenset(marked)


class _Reach(Visitor):
    """Collects, for each definition, the fragments it spreads and whether it selects a viewer field."""

    def __init__(self, types: TypeInfo, viewer_fields: frozenset[tuple[str, str]]) -> None:
        super().__init__()
        self.spreads: dict[str, set[str]] = {}
        self.viewer: set[str] = set()
        self._types = types
        self._viewer_fields = viewer_fields
        self._inside = ""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> VisitorAction:
        # No fragment can have an empty name.
        return self._enter("" if node.name is None else f"operation {node.name.value}")

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> VisitorAction:
        return self._enter(node.name.value)

    def _enter(self, name: str) -> VisitorAction:
        self._inside = name
        self.spreads[name] = set()
        return None

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> VisitorAction:
        self.spreads[self._inside].add(node.name.value)
        return None

    def enter_field(self, node: FieldNode, *_: Any) -> VisitorAction:
        parent = self._types.get_parent_type()
        if parent is not None and (get_named_type(parent).name, node.name.value) in self._viewer_fields:
            self.viewer.add(self._inside)
        return None

    def reached_from(self, name: str) -> set[str]:
        """That definition and all fragments it spreads, directly or not."""
        reached: set[str] = set()
        open_ = [name]
        while open_:
            name = open_.pop()
            if name not in reached:
                reached.add(name)
                open_.extend(self.spreads.get(name, ()))
        return reached


def uses_viewer(
    schema: GraphQLSchema,
    viewer_fields: frozenset[tuple[str, str]],
    document: DocumentNode,
    definition: OperationDefinitionNode,
) -> bool:
    types = TypeInfo(schema)
    reach = _Reach(types, viewer_fields)
    visit(document, TypeInfoVisitor(types, reach))
    start = "" if definition.name is None else f"operation {definition.name.value}"
    return not reach.viewer.isdisjoint(reach.reached_from(start))


class _Uses(Visitor):
    """Counts how often each variable is used, leaving out definitions of variables and other operations."""

    def __init__(self, definition: OperationDefinitionNode) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self._definition = definition

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> VisitorAction:
        return None if node is self._definition else SKIP

    def enter_variable_definition(self, _node: VariableDefinitionNode, *_: Any) -> VisitorAction:
        return SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> VisitorAction:
        self.counts[node.name.value] = self.counts.get(node.name.value, 0) + 1
        return None


def resume_variable_of(document: DocumentNode, definition: OperationDefinitionNode) -> str | None:
    if definition.operation is not OperationType.SUBSCRIPTION:
        return None
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    selections: list[SelectionNode] = list(definition.selection_set.selections)
    roots: list[FieldNode] = []
    while selections:
        selection = selections.pop()
        if isinstance(selection, FieldNode):
            roots.append(selection)
        elif isinstance(selection, InlineFragmentNode):
            selections.extend(selection.selection_set.selections)
        elif isinstance(selection, FragmentSpreadNode):
            selections.extend(fragments[selection.name.value].selection_set.selections)
    if len(roots) != 1:
        return None
    for argument in roots[0].arguments or ():
        if argument.name.value == "after" and isinstance(argument.value, VariableNode):
            uses = _Uses(definition)
            visit(document, uses)
            name = argument.value.name.value
            return name if uses.counts[name] == 1 else None
    return None
