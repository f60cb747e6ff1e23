"""Every operation that a schema allows, with guessed ids in every place that takes one.

A *position* is where an id (or a cursor) goes in: the path of names from an argument through its input
objects. For each position there are calls with each of somebody else's ids at it, the other places that
must have an id holding one's own or the other's; whatever else is required is made up by its type.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice, product
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)

Position = tuple[str, ...]
# Node type → ids of such objects.
Ids = Mapping[str, Sequence[str]]

CURSORS = ("after", "before")
# No field of a schema is further from what one holds, and no input deeper.
DEEPEST = 6


class CannotMake(AssertionError):
    """There is an input that the walk does not know how to make."""


@dataclass(frozen=True)
class Samples:
    """What is put where no id goes: by the place's name, by the input object's type, or by the scalar."""

    scalars: Mapping[str, Any]
    names: Mapping[str, Any]
    inputs: Mapping[str, dict[str, Any]]
    # What ids are meant by names that are not those of types; an unknown one means any.
    kinds: Mapping[str, Sequence[str]]

    def of(self, scalar: str, place: Position) -> Any:
        if place[-1] in self.names:
            return self.names[place[-1]]
        if scalar not in self.scalars:
            raise CannotMake(
                f"No sample of the scalar {scalar} for {'.'.join(place)}: add one to the samples"
            )
        return self.scalars[scalar]


@dataclass(frozen=True)
class Call:
    """An operation ready to be sent. `guessed` is the position that somebody else's id is at, if one is."""

    what: str
    document: str
    variables: dict[str, Any]
    guessed: Position | None = None

    def __str__(self) -> str:
        return f"{self.what} {self.variables}"


@dataclass(frozen=True)
class Place:
    """How to get to an object: what opens before its field and closes behind it, and the variables for it."""

    opening: str
    depth: int
    declared: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)

    def document(self, kind: str, declared: Sequence[str], selected: str) -> str:
        variables = ", ".join([*self.declared, *declared])
        head = f"{kind} Walk({variables})" if variables else f"{kind} Walk"
        return f"{head} {{ {self.opening} {selected} {'}' * self.depth} }}"

    def through(self, name: str, connection: bool) -> "Place":
        inside = (
            f"{name}(first: 2) {{ edges {{ node {{ __typename id" if connection else f"{name} {{ __typename"
        )
        return Place(
            f"{self.opening} {inside}", self.depth + (3 if connection else 1), self.declared, self.variables
        )


ROOT = Place("", 0)


class Walk:
    """The calls to everything in `schema`, by one who holds `own` and guesses `guessed` and `cursors`."""

    def __init__(
        self, schema: GraphQLSchema, samples: Samples, own: Ids, guessed: Ids, cursors: Sequence[str]
    ) -> None:
        self.schema = schema
        self.samples = samples
        self.own = own
        self.guessed = guessed
        self.cursors = cursors
        self.selections: dict[tuple[str, int], str] = {}

    def node_types(self) -> list[str]:
        node = self.schema.type_map["Node"]
        assert isinstance(node, GraphQLInterfaceType)
        return sorted(found.name for found in self.schema.get_possible_types(node))

    def root(self, kind: str) -> dict[str, list[Call]]:
        """The calls of each field of Query, Mutation or Subscription."""
        root = {
            "query": self.schema.query_type,
            "mutation": self.schema.mutation_type,
            "subscription": self.schema.subscription_type,
        }[kind]
        assert root is not None
        return {
            name: list(self.calls(ROOT, kind, root.name, name, found)) for name, found in root.fields.items()
        }

    def others_objects(self) -> Iterator[Call]:
        """Every field of each object that is somebody else's."""
        for type_name in self.node_types():
            for id in self.guessed[type_name]:
                place = self.node(type_name, id)
                for name, found in self.object(type_name).fields.items():
                    if shape := self.shape(found.args, None):
                        yield from self.calls(place, "query", type_name, name, found)
                    else:
                        yield self.call(place, "query", f"{type_name}.{name}", name, found, shape, None, ())

    def own_objects(self) -> Iterator[Call]:
        """Every field with arguments of what one can reach, with guessed ids and cursors as arguments.

        Raises CannotMake if a field that takes an id is out of reach.
        """
        places = self.places()
        for type_name, type_ in self.schema.type_map.items():
            if not isinstance(type_, GraphQLObjectType) or type_name.startswith("__"):
                continue
            if type_ in (self.schema.query_type, self.schema.mutation_type, self.schema.subscription_type):
                continue
            for name, found in type_.fields.items():
                if not self.positions(found.args):
                    continue
                if type_name not in places:
                    raise CannotMake(f"{type_name}.{name} takes an id, and nothing of one's own leads there")
                yield from self.calls(places[type_name], "query", type_name, name, found)

    def node(self, type_name: str, id: str) -> Place:
        opening = f"node(id: $id) {{ __typename ... on {type_name} {{ id"
        return Place(opening, 2, ("$id: ID!",), {"id": id})

    def places(self) -> dict[str, Place]:
        """The shortest way to each type, from what one holds."""
        found = {"Viewer": Place("viewer {", 1)}
        found |= {name: self.node(name, self.own[name][0]) for name in self.node_types()}
        waiting = deque(found)
        while waiting:
            name = waiting.popleft()
            for field_name, field_ in self.object(name).fields.items():
                inner = get_named_type(field_.type)
                connection = inner.name.endswith("Connection")
                if connection:
                    inner = self.item(inner)
                elif any(is_required_argument(argument) for argument in field_.args.values()):
                    continue
                if isinstance(inner, GraphQLObjectType) and inner.name not in found:
                    found[inner.name] = found[name].through(field_name, connection)
                    if connection and "id" not in inner.fields:
                        place = found[inner.name]
                        opening = place.opening.removesuffix(" id")
                        found[inner.name] = Place(opening, place.depth, place.declared, place.variables)
                    waiting.append(inner.name)
        return found

    def item(self, connection: GraphQLNamedType) -> GraphQLNamedType:
        edge = get_named_type(self.object(connection.name).fields["edges"].type)
        found: GraphQLNamedType = get_named_type(self.object(edge.name).fields["node"].type)
        return found

    def object(self, name: str) -> GraphQLObjectType:
        found = self.schema.type_map[name]
        assert isinstance(found, GraphQLObjectType), name
        return found

    # Calls of one field

    def calls(self, place: Place, kind: str, parent: str, name: str, found: GraphQLField) -> Iterator[Call]:
        what = f"{parent}.{name}"
        positions = self.positions(found.args)
        if not positions:
            for everything in (False, True):
                shape = self.shape(found.args, None, everything)
                yield self.call(place, kind, what, name, found, shape, None, ())
        for position in positions:
            shape = self.shape(found.args, position)
            others = [other for other in shape if other != position]
            for holder in (self.own, self.guessed) if others else (self.own,):
                for ids in product(*(self.fitting(other, holder) for other in others)):
                    for guess in self.guesses(position, each=not others):
                        chosen = [*zip(others, ids, strict=True), (position, guess)]
                        yield self.call(place, kind, what, name, found, shape, position, chosen)
        shape = self.shape(found.args, None, everything=True)
        if len(shape) > 1:
            for id in self.everywhere():
                chosen = [(at, self.cursors[0] if at[-1] in CURSORS else id) for at in shape]
                yield self.call(place, kind, what, name, found, shape, None, chosen)

    def guesses(self, position: Position, *, each: bool) -> Sequence[str]:
        """`each` of somebody else's ids, or one of each type."""
        if position[-1] in CURSORS:
            return self.cursors
        return [id for ids in self.guessed.values() for id in (ids if each else ids[:1])]

    def everywhere(self) -> Iterable[str]:
        """Somebody else's ids that are put in all places at once."""
        return [ids[0] for ids in self.guessed.values()]

    def fitting(self, position: Position, holder: Ids) -> Sequence[str]:
        """Ids of the types that the position's name speaks of, one each; of all if it speaks of none."""
        if position[-1] in CURSORS:
            return self.cursors[:1]
        if position[-1] in self.samples.kinds:
            return [holder[name][0] for name in self.samples.kinds[position[-1]]]
        base = re.sub(r"Ids?$", "", position[-1])
        base = base[:1].upper() + base[1:]
        named = [name for name in holder if name == base] or [name for name in holder if name.endswith(base)]
        return [holder[name][0] for name in named or holder]

    def call(
        self,
        place: Place,
        kind: str,
        what: str,
        name: str,
        found: GraphQLField,
        shape: Sequence[Position],
        guessed: Position | None,
        chosen: Sequence[tuple[Position, str]],
    ) -> Call:
        ids = dict(chosen)
        everything = guessed is None and bool(chosen)
        declared: list[str] = []
        passed: list[str] = []
        variables = dict(place.variables)
        for argument_name, argument in found.args.items():
            at = (argument_name,)
            if not self.wanted(argument, at, guessed, everything, shape):
                continue
            variable = f"v_{argument_name}"
            declared.append(f"${variable}: {argument.type}")
            passed.append(f"{argument_name}: ${variable}")
            variables[variable] = self.value(argument.type, at, guessed, everything, shape, ids)
        arguments = f"({', '.join(passed)})" if passed else ""
        # What is below the items of a list is walked from the items; here it would cost too much.
        depth = 0 if isinstance(get_nullable_type(found.type), GraphQLList) else 1
        selected = f"{name}{arguments} {self.selection(get_named_type(found.type), depth)}"
        return Call(what, place.document(kind, declared, selected), variables, guessed)

    # Inputs

    def positions(self, args: Mapping[str, GraphQLArgument]) -> list[Position]:
        """Everywhere in the arguments that an id or a cursor goes."""
        return [place for name, argument in args.items() for place in self.below(argument.type, (name,))]

    def below(self, type_: GraphQLInputType, at: Position) -> Iterator[Position]:
        named = get_named_type(type_)
        if named.name == "ID" or (at[-1] in CURSORS and named.name == "String"):
            yield at
        elif isinstance(named, GraphQLInputObjectType) and len(at) < DEEPEST:
            for name, inner in named.fields.items():
                yield from self.below(inner.type, (*at, name))

    def shape(
        self, args: Mapping[str, GraphQLArgument], target: Position | None, everything: bool = False
    ) -> list[Position]:
        """The positions that are filled when `target` and all that is required is; or everything."""
        return [
            place
            for name, argument in args.items()
            for place in self.filled(argument, (name,), target, everything)
        ]

    def filled(
        self,
        slot: GraphQLArgument | GraphQLInputField,
        at: Position,
        target: Position | None,
        everything: bool,
    ) -> Iterator[Position]:
        if not self.wanted(slot, at, target, everything, ()):
            return
        named = get_named_type(slot.type)
        if named.name == "ID" or (at[-1] in CURSORS and named.name == "String"):
            yield at
        elif isinstance(named, GraphQLInputObjectType) and len(at) < DEEPEST:
            for name, inner in named.fields.items():
                yield from self.filled(inner, (*at, name), target, everything)

    def wanted(
        self,
        slot: GraphQLArgument | GraphQLInputField,
        at: Position,
        target: Position | None,
        everything: bool,
        shape: Sequence[Position],
    ) -> bool:
        required = (
            is_required_argument(slot) if isinstance(slot, GraphQLArgument) else is_required_input_field(slot)
        )
        if required or any(place[: len(at)] == at for place in ([target] if target else shape)):
            return True
        if at[-1] in ("first", "last"):
            # A page is asked for from one of its ends.
            backwards = target is not None and target[-1] == "before"
            return (at[-1] == "last") == backwards
        return everything and at[-1] != "before" and len(at) < DEEPEST

    def value(
        self,
        type_: GraphQLInputType,
        at: Position,
        target: Position | None,
        everything: bool,
        shape: Sequence[Position],
        ids: Mapping[Position, str],
    ) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self.value(type_.of_type, at, target, everything, shape, ids)
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type, at, target, everything, shape, ids)]
        if at in ids:
            return ids[at]
        if isinstance(type_, GraphQLEnumType):
            return self.samples.names.get(at[-1]) or next(iter(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            inside = target is not None and target[: len(at)] == at
            if type_.name in self.samples.inputs and not inside and not everything:
                return self.samples.inputs[type_.name]
            return {
                name: self.value(inner.type, (*at, name), target, everything, shape, ids)
                for name, inner in type_.fields.items()
                if self.wanted(inner, (*at, name), target, everything, shape)
            }
        assert isinstance(type_, GraphQLScalarType)
        return self.samples.of(type_.name, at)

    # Selections

    def selection(self, type_: GraphQLNamedType, depth: int) -> str:
        """All fields that need no arguments, `depth` objects deep; nothing for what has no fields."""
        key = (type_.name, depth)
        if key not in self.selections:
            self.selections[key] = self.selected(type_, depth)
        return self.selections[key]

    def selected(self, type_: GraphQLNamedType, depth: int) -> str:
        if isinstance(type_, GraphQLObjectType):
            return f"{{ __typename {' '.join(self.fields(type_, depth).values())} }}"
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            parts = ["__typename"]
            taken: dict[str, str] = {}
            for option in self.schema.get_possible_types(type_):
                fields = self.fields(option, depth if isinstance(type_, GraphQLUnionType) else 0)
                # Two types may have fields of one name and different types, which do not merge.
                fitting = {
                    name: text
                    for name, text in fields.items()
                    if taken.setdefault(name, f"{option.fields[name].type} {text}")
                    == f"{option.fields[name].type} {text}"
                }
                if fitting:
                    parts.append(f"... on {option.name} {{ {' '.join(fitting.values())} }}")
            return f"{{ {' '.join(parts)} }}"
        return ""

    def fields(self, type_: GraphQLObjectType, depth: int) -> dict[str, str]:
        between = type_.name.endswith(("Connection", "Edge", "Payload", "Envelope"))
        found: dict[str, str] = {}
        for name, field_ in type_.fields.items():
            if any(is_required_argument(argument) for argument in field_.args.values()):
                continue
            inner = get_named_type(field_.type)
            if not is_composite_type(inner):
                found[name] = name
            elif depth > 0 or between:
                page = "(first: 2)" if "first" in field_.args else ""
                found[name] = f"{name}{page} {self.selection(inner, depth if between else depth - 1)}"
        return found


class Sample(Walk):
    """Every field, every place in it and every type, but not each with each.

    At a place there are the ids that fit it, and of the others one, in turn.
    """

    def __init__(
        self, schema: GraphQLSchema, samples: Samples, own: Ids, guessed: Ids, cursors: Sequence[str]
    ) -> None:
        super().__init__(schema, samples, own, guessed, cursors)
        self.turn = cycle(ids[0] for ids in guessed.values())

    def guesses(self, position: Position, *, each: bool) -> Sequence[str]:
        if position[-1] in CURSORS:
            return self.cursors
        return [*self.fitting(position, self.guessed), next(self.turn)]

    def everywhere(self) -> Iterable[str]:
        return islice(self.turn, 1)
