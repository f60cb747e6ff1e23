"""The schema as graphql-core executes it and as it is printed."""

import strawberry
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig

from schema.moments import SCALARS
from schema.root import Mutation, Query, Subscription


def leave_nulls_out(schema: GraphQLSchema) -> None:
    """Take the default ``null`` off arguments and input fields, since leaving one out means the same."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field in kind.fields.values():
                for argument in field.args.values():
                    if argument.default_value is None:
                        argument.default_value = Undefined
        elif isinstance(kind, GraphQLInputObjectType):
            for entry in kind.fields.values():
                if entry.default_value is None:
                    entry.default_value = Undefined


_schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map=SCALARS),
)

graphql_schema: GraphQLSchema = _schema._schema
leave_nulls_out(graphql_schema)
sdl: str = _schema.as_str() + "\n"
