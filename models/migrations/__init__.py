"""The migrations, and how the initial one is written.

While there is no release, a change to the tables adds no migration: the initial one is written again, by
``rm models/migrations/0001_initial.py; python main.py make-migrations``.
"""

from collections.abc import Iterable, Sequence
from inspect import signature
from textwrap import wrap
from typing import Any

from tortoise import fields
from tortoise.fields import Field
from tortoise.indexes import Index
from tortoise.migrations.operations import CreateModel, Operation, TortoiseOperation
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.writer import ImportManager, MigrationWriter, render_value


class CreateTables(TortoiseOperation):
    """Make many tables in one step: Tortoise copies the state of all of them before each operation."""

    def __init__(self, *tables: CreateModel) -> None:
        self.tables = tables

    def state_forward(self, app_label: str, state: State) -> None:
        made = {
            (app_label, each.name): ModelState.make_from_model(app_label, each.model) for each in self.tables
        }
        state.models.update(made)
        state.reload_models(made)

    async def database_forward(
        self, app_label: str, old_state: State, new_state: State, state_editor: BaseSchemaEditor | None = None
    ) -> None:
        for each in self.tables:
            await each.database_forward(app_label, old_state, new_state, state_editor)

    async def database_backward(
        self, app_label: str, old_state: State, new_state: State, state_editor: BaseSchemaEditor | None = None
    ) -> None:
        for each in self.tables:
            await each.database_backward(app_label, old_state, new_state, state_editor)


def table(
    model: str,
    name: str,
    description: str | None,
    unique: Sequence[str],
    indexes: Sequence[str],
    /,
    **fields: Field[Any],
) -> CreateModel:
    """One of the tables. What is unique together, and each index, is a string of fields' names."""
    options = {
        "table": name,
        "table_description": description,
        "unique_together": tuple(tuple(each.split()) for each in unique),
        "indexes": [Index(fields=each.split()) for each in indexes],
    }
    return CreateModel(model, list(fields.items()), {key: value for key, value in options.items() if value})


def write(writer: MigrationWriter) -> str:
    """Write a migration, the initial one as `CreateTables`; returns its path."""
    path = writer.path()
    path.write_text(initial(writer.operations) if writer.initial else writer.as_string())
    return str(path)


def initial(operations: Iterable[Operation]) -> str:
    """The text of a migration that makes the tables which `operations` make one by one."""
    imports = ImportManager()
    imports.add_from("models.migrations", "CreateTables")
    imports.add_from("models.migrations", "table")
    imports.add_from("tortoise.migrations", "Migration as Base")
    made = [_table(each, imports) for each in operations if isinstance(each, CreateModel)]
    return "\n".join(
        [
            *imports.render(),
            "\n\nclass Migration(Base):",
            "    initial = True",
            "    operations = [CreateTables(",
            *made,
            "    )]\n",
        ]
    )


def _table(made: CreateModel, imports: ImportManager) -> str:
    options = made.options or {}
    indexes = (each.fields if isinstance(each, Index) else each for each in options.get("indexes", ()))
    head = [
        *map(repr, (made.name, options["table"], options.get("table_description"))),
        *(str([" ".join(each) for each in group]) for group in (options.get("unique_together", ()), indexes)),
    ]
    columns = [f"{name}={_field(field, imports)}" for name, field in made.fields]
    return f"        table(\n{_filled(head)},\n{_filled(columns)},\n        ),"


def _field(field: Any, imports: ImportManager) -> str:
    """The call that makes a field, less the arguments that say nothing."""
    kind = type(field).__name__.replace("FieldInstance", "Field")
    imports.add_from("tortoise.fields" if hasattr(fields, kind) else type(field).__module__, kind)
    _, _, given = field.deconstruct()
    parameters = signature(type(field).__init__).parameters
    said = {
        name: value
        for name, value in given.items()
        if name not in parameters or value != parameters[name].default
    }
    if "primary_key" in said:
        del said["unique"], said["db_index"]
    if "enum_type" in said:
        # Tortoise makes it of the enum's members.
        del said["description"]
    return f"{kind}({', '.join(f'{name}={render_value(value, imports)}' for name, value in said.items())})"


def _filled(parts: Iterable[str]) -> str:
    """As many parts on a line as it takes, none of them broken."""
    whole = ", ".join(part.replace(" ", "\0") for part in parts)
    indent = " " * 12
    lines = wrap(
        whole,
        118,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\0", " ")
