"""Which type an object is of.

Where a field leads to objects of several types, each type is asked whether the object is of it. What
says so is most often the object's class alone: then it is asked once for each class.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, default_type_resolver, is_abstract_type
from graphql.execution import Executor
from graphql.execution.executor import invalid_return_type_error

_valid_type: Any = Executor.ensure_valid_runtime_type


class IsA:
    """An object type's `is_type_of`: its objects are instances of one of `classes`, of which `when` holds."""

    __slots__ = ("classes", "when")

    def __init__(self, *classes: type, when: Callable[[Any], bool] | None = None) -> None:
        self.classes = classes
        self.when = when

    def __call__(self, value: Any, _info: Any) -> bool:
        return isinstance(value, self.classes) and (self.when is None or self.when(value))


class Types:
    """The types of a schema's objects, remembered by class where nothing else decides."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        # By the name of what is expected: there are as many as there are types and classes of their objects.
        self._known: dict[tuple[str, type], GraphQLObjectType | None] = {}

    def of_class(self, named: Any, class_: type) -> GraphQLObjectType | None:
        """The type of all objects of `class_` where `named` is expected; None if each is to be asked."""
        if not is_abstract_type(named) and named.is_type_of is None:
            only: GraphQLObjectType = named
            return only
        key = named.name, class_
        if key not in self._known:
            self._known[key] = self._decided(named, class_)
        return self._known[key]

    def _decided(self, named: Any, class_: type) -> GraphQLObjectType | None:
        types = [named]
        if is_abstract_type(named):
            if _resolves_itself(named) or _may_say_its_type(class_):
                return None
            types = [type_ for type_ in self._schema.get_possible_types(named) if type_.is_type_of]
        for type_ in types:
            is_type_of = type_.is_type_of
            if not isinstance(is_type_of, IsA):
                return None
            if issubclass(class_, is_type_of.classes):
                return type_ if is_type_of.when is None else None
        return None

    def asked(self, plan: Any, named: Any, details: Any, info: Any) -> Callable[[Any], GraphQLObjectType]:
        """Says the type of an object. Raises what graphql-core would."""
        resolve_type = (named.resolve_type or default_type_resolver) if is_abstract_type(named) else None

        def type_of(value: Any) -> GraphQLObjectType:
            type_: GraphQLObjectType = named
            if resolve_type is not None:
                name = resolve_type(value, info, named)
                # As graphql-core checks it, in its words; all it uses of itself is the schema.
                type_ = _valid_type(plan, name, named, details, info, value)
            if type_.is_type_of is not None and not type_.is_type_of(value, info):
                raise invalid_return_type_error(type_, value, details)
            return type_

        return type_of


def _resolves_itself(named: Any) -> bool:
    """Whether an abstract type finds the type of its objects in a way of its own."""
    definition = named.extensions.get("strawberry-definition")
    return definition is None or getattr(definition, "resolve_type", None) is not None


def _may_say_its_type(class_: type) -> bool:
    """Whether an object's own attributes may say its type, as __typename and Strawberry's casts do."""
    return (
        issubclass(class_, Mapping)
        or bool(class_.__dictoffset__)
        or any(hasattr(class_, f"_{base.__name__}__typename") for base in class_.__mro__)
    )
