"""A plan as text: what is asked and how each field gets its values, what is awaited together, and the code
that builds the response.

Objects are met only when a plan is executed. Here all are met that there can be, so that the levels are those
of a response in which nothing is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, is_abstract_type, print_ast

from schema.execution.field_sources import Attribute, Called, Computed, Loaded
from schema.execution.generated import written
from schema.execution.loading import Batch
from schema.execution.plan import Plan
from schema.execution.shapes import Shape, Step

INDENT = "  "


def printed(plan: Plan) -> str:
    """What `plan` does, for a reader. Raises GraphQLError for a bad variable that skips or includes."""
    name = f" {plan.operation.name.value}" if plan.operation.name else ""
    lines = [f"{plan.operation.operation.value}{name}", "", "Fields, and how each gets its values"]
    for root in plan.roots:
        lines += [f"{INDENT}{line}" for line in _fields(plan.schema, root)]
    lines += ["", "Levels, each awaited together"]
    for root in plan.roots:
        lines += [f"{INDENT}{number}  {each}" for number, each in _levels(plan, root)]
    lines += ["", "Generated"]
    for root in plan.roots:
        for shape in _shapes(plan, root):
            source, _ = written(shape.type, shape.steps)
            lines += [f"{INDENT}{shape.type.name}", *(f"{INDENT * 2}{line}" for line in source.split("\n"))]
    return "\n".join(lines)


# Fields


def _fields(schema: GraphQLSchema, shape: Shape) -> Iterator[str]:
    for step in shape.steps:
        yield f"{step.key}: {step.field.type}  {_how(shape, step)}"
        below = [(below, list(_fields(schema, below))) for below in _led_to(schema, step)]
        if not is_abstract_type(step.named):
            yield from (f"{INDENT}{line}" for _, lines in below for line in lines)
            continue
        # What is asked of all types alike stands once.
        for lines, alike in groupby(sorted(below, key=lambda each: each[1]), lambda each: each[1]):
            if lines:
                yield f"{INDENT}on {', '.join(sorted(shape.type.name for shape, _ in alike))}"
                yield from (f"{INDENT * 2}{line}" for line in lines)


def _how(shape: Shape, step: Step) -> str:
    source = step.source
    varies = ", by context" if step.varies else ""
    if step.typename:
        return f"is {shape.type.name!r}"
    if isinstance(source, Attribute):
        return f"reads {source.name}"
    if isinstance(source, Computed):
        return f"computes its column{varies}"
    if isinstance(source, Loaded):
        return f"loads {_named(source.batch)}{varies}"
    waiting = ", and asks for what it loads" if source.asking else ", and awaited" if source.waits else ""
    return f"is called{waiting}{varies}"


def _led_to(schema: GraphQLSchema, step: Step) -> list[Shape]:
    """The shapes of all objects that a field can lead to."""
    if step.asked is None:
        return []
    types: list[GraphQLObjectType] = [step.named]
    if is_abstract_type(step.named):
        types = list(schema.get_possible_types(step.named))
    return [step.asked.of(type_) for type_ in types]


def _shapes(plan: Plan, shape: Shape) -> Iterator[Shape]:
    if shape.steps:
        yield shape
    for step in shape.steps:
        for below in _led_to(plan.schema, step):
            yield from _shapes(plan, below)


def _named(batch: Batch) -> str:
    name: str = getattr(batch, "__qualname__", None) or repr(batch)
    return f"{batch.__module__}.{name}"


# Levels


@dataclass
class _Call:
    """What a level awaits: a batch resolver, for the fields that want the same of it."""

    said: str
    fields: dict[str, None] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    # Whether it is put off as long as others will want the same of it.
    patient: bool = True


def _levels(plan: Plan, root: Shape) -> Iterator[tuple[int, str]]:
    opened, waiting, number = [root], dict[Any, _Call](), 0
    while True:
        while opened:
            shape = opened.pop()
            for step in shape.columns:
                if isinstance(step.source, Loaded) or (isinstance(step.source, Called) and step.source.waits):
                    _ask(waiting, shape, step)
                else:
                    opened += _led_to(plan.schema, step)
        if not waiting:
            return
        coming = frozenset[Batch]().union(
            *(step.below.batches for call in waiting.values() for step in call.steps)
        )
        due = {key: call for key, call in waiting.items() if not (call.patient and key[0] in coming)}
        waiting = {key: call for key, call in waiting.items() if key not in due}
        number += 1
        for call in due.values():
            yield number, f"{call.said} for {', '.join(call.fields)}"
            opened += [shape for step in call.steps for shape in _led_to(plan.schema, step)]


def _ask(waiting: dict[Any, _Call], shape: Shape, step: Step) -> None:
    place = f"{shape.type.name}.{step.name}"
    arguments = ", ".join(print_ast(argument) for argument in step.nodes[0].arguments or ())
    if isinstance(step.source, Loaded):
        key: tuple[Any, ...] = (step.source.batch, arguments)
        said = f"{_named(step.source.batch)}({arguments})"
    else:
        key, said = (place,), "a call of each"
    call = waiting.setdefault(key, _Call(said))
    call.fields[place] = None
    call.steps.append(step)
    call.patient = call.patient and not arguments and step.below.ends and isinstance(step.source, Loaded)
