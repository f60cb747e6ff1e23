"""Operations made at random of a schema, for tests that execute them in two ways.

Aliases, fragments on objects, interfaces and unions, @skip and @include with and without variables, variables
with and without defaults, the same field selected in several places: whatever validates.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_union_type,
)

# A value for an argument or an input field, in GraphQL's words: the owner's name, its own name, its type.
Value = Callable[[Random, str, Any], str]


class Maker:
    """Makes one operation; `text` and `variables`."""

    def __init__(
        self,
        schema: GraphQLSchema,
        random: Random,
        value: Value,
        *,
        depth: int = 5,
        width: int = 4,
        most: int = 30,
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        self._schema = schema
        self._random = random
        self._value = value
        self._width = width
        self._left = most
        self._left_out = left_out
        self._fragments: list[str] = []
        self._declared: list[str] = []
        self._aliases = 0
        self.variables: dict[str, Any] = {}
        root = schema.query_type
        assert root is not None
        selected = self._selection(root, depth)
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        self.text = "\n".join([f"query Made{declared} {selected}", *self._fragments])

    def _selection(self, type_: Any, depth: int) -> str:
        parts = [self._part(type_, depth) for _ in range(self._random.randint(1, self._width))]
        return f"{{ {' '.join(['__typename', *filter(None, parts)])} }}"

    def _part(self, type_: Any, depth: int) -> str:
        self._left -= 1
        if self._left < 0:
            return ""
        chance = self._random.random()
        if is_union_type(type_) or (is_abstract_type(type_) and chance < 0.5) or chance < 0.12:
            return self._fragment(type_, depth)
        fields = [
            (name, field)
            for name, field in type_.fields.items()
            if (depth > 0 or is_leaf_type(get_named_type(field.type)))
            and f"{type_.name}.{name}" not in self._left_out
        ]
        if not fields:
            return ""
        loading = [pair for pair in fields if not is_leaf_type(get_named_type(pair[1].type))]
        name, field = self._random.choice(loading if loading and chance > 0.6 else fields)
        return self._field(type_, name, field, depth)

    def _field(self, type_: Any, name: str, field: GraphQLField, depth: int) -> str:
        arguments = [
            f"{key}: {self._argument(f'{type_.name}.{name}', key, argument)}"
            for key, argument in field.args.items()
            if is_required_argument(argument) or self._random.random() < 0.6
        ]
        below = get_named_type(field.type)
        selected = "" if is_leaf_type(below) else " " + self._selection(below, depth - 1)
        alias = ""
        if arguments or self._random.random() < 0.2:
            # Fields with arguments are merged only with the very same; each has a name of its own.
            self._aliases += 1
            alias = f"a{self._aliases}: "
        given = f"({', '.join(arguments)})" if arguments else ""
        return f"{alias}{name}{given}{self._condition()}{selected}"

    def _fragment(self, type_: Any, depth: int) -> str:
        possible: list[Any] = [type_]
        if is_abstract_type(type_):
            possible = [*self._schema.get_possible_types(type_)]
            if not is_union_type(type_):
                possible.append(type_)
        else:
            possible += type_.interfaces
        on = self._random.choice(possible)
        selected = self._selection(on, depth)
        if self._random.random() < 0.5:
            return f"... on {on.name}{self._condition()} {selected}"
        name = f"F{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {on.name} {selected}")
        return f"...{name}{self._condition()}" * self._random.choice((1, 1, 2))

    def _condition(self) -> str:
        if self._random.random() > 0.1:
            return ""
        how = self._random.choice(("skip", "include"))
        truth = self._random.random() < 0.5
        if self._random.random() < 0.5:
            return f" @{how}(if: {str(truth).lower()})"
        return f" @{how}(if: ${self._declare('Boolean!', truth)})"

    def _declare(self, type_: str, value: Any, default: str = "") -> str:
        name = f"v{len(self._declared)}"
        self._declared.append(f"${name}: {type_}{default}")
        if not default:
            self.variables[name] = value
        return name

    def _argument(self, owner: str, name: str, argument: GraphQLArgument) -> str:
        written = self._written(owner, name, argument.type)
        if self._random.random() < 0.3 and is_leaf_type(get_named_type(argument.type)):
            return f"${self._declare(str(argument.type), None, f' = {written}')}"
        return written

    def _written(self, owner: str, name: str, type_: Any) -> str:
        if is_non_null_type(type_):
            return self._present(owner, name, type_.of_type)
        if self._random.random() < 0.1:
            return "null"
        return self._present(owner, name, type_)

    def _present(self, owner: str, name: str, type_: Any) -> str:
        if is_list_type(type_):
            size = self._random.choice((0, 1, 2, 5))
            return f"[{', '.join(self._written(owner, name, type_.of_type) for _ in range(size))}]"
        if isinstance(type_, GraphQLEnumType):
            return str(self._random.choice(list(type_.values)))
        if isinstance(type_, GraphQLInputObjectType):
            given = ", ".join(
                f"{key}: {self._written(type_.name, key, entry.type)}" for key, entry in type_.fields.items()
            )
            return f"{{{given}}}"
        return self._value(self._random, f"{owner}.{name}", type_)


def plain(random: Random, _owner: str, type_: Any) -> str:
    """A value of one of the specification's scalars."""
    values: Mapping[str, Callable[[], str]] = {
        "Int": lambda: str(random.randint(-3, 50)),
        "Float": lambda: str(round(random.uniform(-2, 2), 3)),
        "Boolean": lambda: random.choice(("true", "false")),
        "String": lambda: random.choice(('"停水"', '"a"', '""')),
        "ID": lambda: random.choice(('"x"', '"y"')),
        "DateTime": lambda: '"2026-11-25T08:00:00+00:00"',
    }
    return values[type_.name]()
