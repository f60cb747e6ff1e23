"""Completing a response in which something is amiss: errors with their paths, nulls as far as they reach.

The specification's own order, depth first, over the columns that a run has filled: what a field gave is
not asked for again. As in graphql-core, an object's fields after one whose null takes the object with it
are not looked at, and so say nothing.
"""

from typing import Any

from graphql import GraphQLError, is_leaf_type, is_list_type, is_non_null_type, located_error
from graphql.execution import Executor
from graphql.pyutils import Path, Undefined

from schema.execution.field_sources import Attribute
from schema.execution.shapes import Block, Step

Completed = tuple[dict[str, Any] | None, list[GraphQLError]]


def complete(blocks: list[Block]) -> Completed:
    """The data, or None, and the errors, of a run whose first block is the root."""
    for block in blocks:
        places = [(block, index) for index in range(len(block.parents))]
        block.link.update(zip(block.ids, places, strict=True))
        for link, identity, error in block.refused:
            link[identity] = error
    completion = Completion()
    try:
        data = completion.object(blocks[0], 0, None)
    except GraphQLError as error:
        return None, [*completion.errors, error]
    return data, completion.errors


class Completion:
    def __init__(self) -> None:
        self.errors: list[GraphQLError] = []

    def object(self, block: Block, index: int, path: Path | None) -> dict[str, Any]:
        """Raises a GraphQLError that knows its place if a null reaches beyond the object."""
        return {
            step.key: self._field(block, step, index, Path(path, step.key, block.shape.type.name))
            for step in block.shape.steps
        }

    def _field(self, block: Block, step: Step, index: int, path: Path) -> Any:
        if step.typename:
            return block.shape.type.name
        try:
            if step.inline and isinstance(step.source, Attribute):
                value = getattr(block.parents[index], step.source.name)
            else:
                value = block.columns[step.index][index]
            return self._value(step.field.type, step, block.links[step.index], value, path)
        except Exception as error:
            self._failed(error, step.field.type, step, path)
            return None

    def _failed(self, raised: Exception, type_: Any, step: Step, path: Path) -> None:
        error = located_error(raised, step.nodes, path.as_list())
        if is_non_null_type(type_):
            raise error
        self.errors.append(error)

    def _value(self, type_: Any, step: Step, link: dict[int, Any], value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if is_non_null_type(type_):
            completed = self._value(type_.of_type, step, link, value, path)
            if completed is None:
                raise TypeError(f"Cannot return null for non-nullable field {step.parent_type}.{step.name}.")
            return completed
        if value is None or value is Undefined:
            return None
        if is_list_type(type_):
            return [
                self._item(type_.of_type, step, link, item, path.add_key(number))
                for number, item in enumerate(value)
            ]
        if is_leaf_type(type_):
            return Executor.complete_leaf_value(type_, value)
        place = link[id(value)]
        if isinstance(place, Exception):
            raise place
        block, index = place
        return self.object(block, index, path)

    def _item(self, type_: Any, step: Step, link: dict[int, Any], item: Any, path: Path) -> Any:
        try:
            return self._value(type_, step, link, item, path)
        except Exception as error:
            self._failed(error, type_, step, path)
            return None
