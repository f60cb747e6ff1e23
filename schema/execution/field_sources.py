"""How a field gets its values for a whole column of parents.

    Attribute   an attribute of each parent
    Computed    one call that gives the whole column at once
    Loaded      one call of a batch resolver, whose arguments are made once
    Called      a call for each parent

What Strawberry wraps around a resolver (an Info of its own, the conversion of arguments, extensions) is
done here once per column. A field with extensions is called with all its wrapping.
"""

import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLSchema, default_field_resolver
from strawberry.scalars import ID
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from schema.execution.loading import Batch

# Makes a field's arguments as graphql-core has them into those that the resolver takes.
Converted = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str


@dataclass(frozen=True, slots=True)
class Computed:
    """`column(info, parents)`, for a field without arguments whose value needs no waiting."""

    column: Callable[[Any, Sequence[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """`batch` for all parents. `arguments` makes its arguments of the field's, once they are `converted`.

    If it takes `selected`, it is told the names of the fields that are selected of what the field leads to,
    or None where that depends on the objects.
    """

    batch: Batch
    arguments: Callable[..., tuple[Any, ...]]
    converted: Converted
    selective: bool


@dataclass(frozen=True, slots=True)
class Called:
    """`call(parent, **keywords(converted(arguments, info), info))` for each parent.

    `waits` says that the result is a coroutine, `asking` that this awaits hardly anything but what is loaded
    together.
    """

    call: Callable[..., Any]
    converted: Converted
    keywords: Callable[[dict[str, Any], Any], dict[str, Any]]
    asking: bool = False
    waits: bool = False


FieldSource = Attribute | Computed | Loaded | Called


def source_of(schema: GraphQLSchema, field: GraphQLField) -> FieldSource:
    """How `field` gets its values."""
    definition, converter = _strawberry(schema, field)
    if definition is None or definition.is_subscription:
        return _as_graphql_core_calls_it(field)
    if definition.is_basic_field:
        name = definition.python_name
        plain = definition.default_resolver is getattr and name.isidentifier() and not keyword.iskeyword(name)
        return Attribute(name) if plain else _as_graphql_core_calls_it(field)
    return _strawberry_source(definition, converter)


def source_of_events(schema: GraphQLSchema, field: GraphQLField) -> Called | None:
    """What makes the events of a subscription's field; None if only graphql-core can call it."""
    definition, converter = _strawberry(schema, field)
    if definition is None or not definition.is_subscription or definition.base_resolver is None:
        return None
    source = _strawberry_source(definition, converter)
    return source if isinstance(source, Called) else None


def _strawberry(schema: GraphQLSchema, field: GraphQLField) -> tuple[StrawberryField | None, Any]:
    """The field's definition, if Strawberry wraps nothing around it that is the application's."""
    definition = field.extensions.get("strawberry-definition")
    strawberry_schema = getattr(schema, "_strawberry_schema", None)
    if not isinstance(definition, StrawberryField) or strawberry_schema is None or definition.extensions:
        return None, None
    converter = strawberry_schema.schema_converter
    return (None, None) if converter.exception_handlers else (definition, converter)


def _as_graphql_core_calls_it(field: GraphQLField) -> Called:
    resolve = field.resolve or default_field_resolver

    def keywords(arguments: dict[str, Any], info: Any) -> dict[str, Any]:
        return {"arguments": arguments, "info": info}

    def call(parent: Any, arguments: dict[str, Any], info: Any) -> Any:
        return resolve(parent, info, **arguments)

    return Called(call, lambda arguments, _info: arguments, keywords)


def _strawberry_source(definition: StrawberryField, converter: Any) -> FieldSource:
    resolver: Any = definition.base_resolver
    info_name = resolver.info_parameter.name if resolver.info_parameter else None

    names = converter.config.name_converter
    taken_as = {names.from_argument(argument): argument for argument in definition.arguments}
    plain = {name for name, argument in taken_as.items() if _is_plain(argument)}
    nullable = {name for name, argument in taken_as.items() if _is_nullable(argument)}

    def converted(arguments: dict[str, Any], info: Any) -> dict[str, Any]:
        given: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for name, value in arguments.items():
            if name in plain or (value is None and name in nullable):
                given[taken_as[name].python_name] = value
            else:
                left[name] = value
        if left:
            given |= convert_arguments(
                left,
                definition.arguments,
                scalar_registry=converter.scalar_registry,
                config=converter.config,
                info=Info(_raw_info=info, _field=definition),
            )
        return given

    def keywords(given: dict[str, Any], info: Any) -> dict[str, Any]:
        return given if info_name is None else {**given, info_name: Info(_raw_info=info, _field=definition)}

    if (column := definition.metadata.get("column")) is not None:
        return Computed(column)
    batch = definition.metadata.get("batch")
    if batch is not None and "arguments" in definition.metadata:
        arguments = definition.metadata["arguments"]
        selective = "selected" in getattr(arguments, "__annotations__", ())
        return Loaded(batch, arguments, converted, selective)
    waits = definition.is_async
    return Called(_on_parent(resolver), converted, keywords, asking=batch is not None and waits, waits=waits)


def _is_plain(argument: StrawberryArgument) -> bool:
    """Whether its values are taken as graphql-core has them."""
    type_ = argument.type
    if isinstance(type_, StrawberryOptional):
        type_ = type_.of_type
    return type_ in (str, int, float, bool, ID) and not argument.is_maybe


def _is_nullable(argument: StrawberryArgument) -> bool:
    """Whether null is taken as None."""
    return isinstance(argument.type, StrawberryOptional) and not argument.is_maybe


def _on_parent(resolver: Any) -> Callable[..., Any]:
    """The resolver's function, taking the parent first and all else by name."""
    function: Callable[..., Any] = resolver.wrapped_func
    own = resolver.self_parameter
    named = list(
        dict.fromkeys(
            parameter.name
            for parameter in (resolver.root_parameter, resolver.parent_parameter)
            if parameter is not None and parameter is not own
        )
    )
    first = next(iter(resolver.signature.parameters), None)
    if own is not None and not named:
        return function
    if own is None and named == [first]:
        return function
    if own is None and not named:
        return lambda _parent, **given: function(**given)
    if own is None:
        return lambda parent, **given: function(**dict.fromkeys(named, parent), **given)
    return lambda parent, **given: function(parent, **dict.fromkeys(named, parent), **given)
