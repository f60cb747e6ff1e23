from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    get_introspection_query,
    parse,
)

from schema.serving.limits import Limits, Survey, check_cost, check_text, page_sizes

SCHEMA = build_schema(
    """
    type Query { node: Node post: Post posts(first: Int, last: Int): Posts feed(first: Int = 7): Posts
      nodes(ids: [ID!]!): [Node] }
    interface Node { id: ID! }
    type Post implements Node { id: ID! body: String self: Post comments(first: Int!): Comments
      posts: [Post] }
    type Posts { nodes: [Post] }
    type Comments { nodes: [Comment] }
    type Comment { id: ID! }
    """
)
LIMITS = Limits()


def survey(query: str, limits: Limits = LIMITS) -> Survey:
    document = parse(query)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return Survey(document, operation, limits, SCHEMA, page_sizes(SCHEMA, limits))


def cost(query: str, **variables: Any) -> int:
    return survey(query).cost.of(variables)


def exceeded(query: str, limits: Limits = LIMITS) -> set[str]:
    return {limit_of(error) for error in survey(query, limits).errors}


def limit_of(error: GraphQLError | None) -> str:
    assert error is not None
    assert error.extensions is not None
    assert error.extensions["code"] == "TOO_COMPLEX"
    assert str(error.extensions["maximum"]) in error.message
    return str(error.extensions["limit"])


def nested(depth: int, field: str = "self") -> str:
    return "{ post " + f"{{ {field} " * depth + "{ id }" + " }" * depth + " }"


def doubled(levels: int, spread: str) -> str:
    """Fragments of which each uses the next one twice."""
    fragments = [f"fragment F{level} on Query {{ {spread} }}" for level in range(levels)]
    parts = [fragment.replace("NEXT", f"...F{level + 1}") for level, fragment in enumerate(fragments)]
    return "{ ...F0 } " + " ".join(parts) + f" fragment F{levels} on Query {{ a }}"


class TestText:
    def test_an_ordinary_query_passes(self) -> None:
        assert check_text(get_introspection_query(), LIMITS) is None

    @pytest.mark.parametrize("opening", ["{a", "[", "(", "{ ...on Query "])
    def test_deep_nesting_is_refused_before_parsing(self, opening: str) -> None:
        limits = Limits(text_bytes=10_000_000)
        assert limit_of(check_text(opening * 100_000, limits)) == "nesting"

    @pytest.mark.parametrize(
        "text",
        [
            '{ a(x: "' + "{" * 1_000 + '") }',
            '{ a(x: """' + "{" * 1_000 + '""") }',
            '{ a(x: """ \\""" ' + "{" * 1_000 + '""") }',
            '{ a(x: "\\"' + "{" * 1_000 + '") }',
            "{ a # " + "{" * 1_000 + "\n }",
            "{a}" * 1_000,
        ],
    )
    def test_only_brackets_that_nest_count(self, text: str) -> None:
        assert check_text(text, LIMITS) is None

    def test_a_bracket_after_a_string_counts(self) -> None:
        assert limit_of(check_text('{ a(x: "\\\\") ' + "{" * 100, LIMITS)) == "nesting"
        assert limit_of(check_text('{ a(x: """ " \\""" """) ' + "{" * 100, LIMITS)) == "nesting"
        assert limit_of(check_text('{ a(x: "unterminated\n' + "{" * 100, LIMITS)) == "nesting"

    def test_length_is_counted_in_bytes(self) -> None:
        limits = Limits(text_bytes=300)
        assert check_text("#" + "a" * 299, limits) is None
        assert limit_of(check_text("#" + "水" * 100, limits)) == "text_bytes"


class TestShape:
    def test_depth(self) -> None:
        assert survey(nested(13)).extent.depth == 15
        assert exceeded(nested(13)) == set()
        assert exceeded(nested(14)) == {"depth"}

    def test_depth_counts_through_fragments(self) -> None:
        half = "{ self " * 7 + "{ id }" + " }" * 7
        query = "{ post { self { self { self { ...Lower self { ...Lower } } } } } } fragment Lower on Post "
        assert survey(query + half).extent.depth == 13
        assert exceeded(query + half.replace("id", "self { self { self { id } } }")) == {"depth"}

    def test_fragments_alone_nest_too(self) -> None:
        chain = "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(100))
        assert "nesting" in exceeded(chain + " fragment F100 on Query { post { id } }")

    def test_aliases_count_but_relays_typename_does_not(self) -> None:
        aliases = " ".join(f"a{n}: post {{ id }}" for n in range(31))
        assert exceeded(f"{{ {aliases} }}", Limits(root_fields=100)) == {"aliases"}
        assert exceeded("{ post { " + " ".join(f"__is{n}: __typename" for n in range(31)) + " } }") == set()

    def test_directives(self) -> None:
        assert exceeded("{ post { id " + "@include(if: true) " * 31 + "} }") == {"directives"}
        assert exceeded("query Q($x: Int " + "@b " * 16 + ") " + "@a " * 15 + "{ post { id } }") == {
            "directives"
        }

    def test_root_fields_count_through_fragments(self) -> None:
        query = "{ ...A ...on Query { ...A } } fragment A on Query { " + "post { id } " * 11 + "}"
        assert survey(query).extent.width == 22
        assert exceeded(query) == {"root_fields"}

    def test_only_the_operation_asked_for_is_surveyed(self) -> None:
        document = parse("query A { post { id } } query B { " + "post { id } " * 30 + "}")
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        assert Survey(document, operation, LIMITS, SCHEMA, {}).errors == []


class TestIntrospection:
    def test_the_standard_query_passes_and_costs_nothing(self) -> None:
        query = get_introspection_query(
            descriptions=True,
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
        )
        found = survey(query)
        assert found.errors == []
        assert found.cost.of({}) == 0
        assert found.extent.introspection_depth >= 13

    def test_it_is_limited_all_the_same(self) -> None:
        deep = "{ __schema { types " + "{ ofType " * 20 + "{ name }" + " }" * 20 + " } }"
        assert exceeded(deep) == {"introspection_depth"}
        many = " ".join(f"s{n}: __schema {{ types {{ name }} }}" for n in range(5))
        assert exceeded(f"{{ {many} }}") == {"introspection_aliases"}

    def test_fields_beside_it_cost(self) -> None:
        assert cost("{ __schema { types { name } } __typename post { id } }") == 2


class TestCost:
    def test_a_list_is_not_taken_for_the_connection_of_that_name_on_another_type(self) -> None:
        assert cost("{ post { posts { id } } }") == 3
        assert cost("{ posts { nodes { id } } }") == 201
        assert cost("{ node { ... on Post { posts { id } } } }") == 3
        assert cost("{ ...F } fragment F on Query { posts { nodes { id } } }") == 201

    def test_pages_multiply(self) -> None:
        assert cost("{ post { id body } }") == 3
        assert cost("{ posts(first: 20) { nodes { id comments(first: 3) { nodes { id } } } } }") == 1 + 20 * 9
        assert cost("{ posts(last: 5) { nodes { id } } }") == 11

    def test_variables_are_taken_precisely(self) -> None:
        query = (
            "query($n: Int, $m: Int) { posts(first: $n) { nodes { comments(first: $m) { nodes { id } } } } }"
        )
        assert cost(query, n=20, m=3) == 1 + 20 * (1 + 1 + 3 * 2)
        assert cost(query, n=1, m=1) == 1 + 1 + 1 + 2
        assert cost(query, n=0, m=-5) == cost(query, n=1, m=1)

    def test_a_size_that_is_left_out_is_the_schemas_or_a_whole_page(self) -> None:
        assert cost("{ feed { nodes { id } } }") == 1 + 7 * 2
        assert cost("{ posts { nodes { id } } }") == 1 + 100 * 2
        assert cost("query($n: Int) { posts(first: $n) { nodes { id } } }") == 1 + 100 * 2
        assert cost("query($n: Int) { posts(first: $n) { nodes { id } } }", n=None) == 1 + 100 * 2

    def test_the_larger_of_first_and_last_counts(self) -> None:
        assert cost("query($n: Int) { posts(first: 2, last: $n) { nodes { id } } }", n=9) == 1 + 9 * 2
        assert cost("query($n: Int) { posts(first: 9, last: $n) { nodes { id } } }", n=2) == 1 + 9 * 2

    def test_lists_of_ids_multiply(self) -> None:
        assert cost('{ nodes(ids: ["a", "b", "c"]) { id } }') == 1 + 3
        assert cost("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["a"] * 50) == 1 + 50

    def test_fragments_cost_wherever_they_are_spread(self) -> None:
        query = "query($n: Int) { a: posts(first: $n) { ...P } b: posts(first: 2) { ...P } } "
        query += "fragment P on Posts { nodes { comments(first: $n) { nodes { id } } } }"
        assert cost(query, n=10) == 2 + 10 * 22 + 2 * 22

    def test_the_limit_is_named(self) -> None:
        query = "query($n: Int) { posts(first: $n) { nodes { comments(first: $n) { nodes { id } } } } }"
        found = survey(query).cost
        assert check_cost(found, {"n": 90}, LIMITS) is None
        error = check_cost(found, {"n": 100}, LIMITS)
        assert limit_of(error) == "cost"
        assert error is not None
        assert (error.extensions or {})["actual"] == 1 + 100 * (2 + 100 * 2)
        assert "20201" in error.message

    @pytest.mark.parametrize("size", ["999999999999", "9" * 5_000])
    def test_absurd_numbers_are_just_too_many(self, size: str) -> None:
        assert exceeded(f"{{ posts(first: {size}) {{ nodes {{ id }} }} }}") == {"cost"}
        assert check_cost(
            survey("query($n: Int) { posts(first: $n) { nodes { id } } }").cost, {"n": 10**30}, LIMITS
        )


class TestBombs:
    @pytest.mark.parametrize("spread", ["NEXT NEXT", "a: q { NEXT } b: q { NEXT }"])
    @pytest.mark.parametrize("levels", [10, 20, 30, 500])
    def test_nested_fragments_are_refused_with_one_visit_a_selection(self, spread: str, levels: int) -> None:
        found = survey(doubled(levels, spread))
        assert found.visits <= levels * 4 + 2
        if levels > 10:
            assert found.errors
        if levels < LIMITS.nesting:
            assert min(2**levels, 1_000_000_000) <= found.cost.of({}) <= 1_000_000_000

    def test_a_bomb_of_731_bytes(self) -> None:
        query = doubled(18, "NEXT NEXT")
        assert len(query) <= 731
        found = survey(query)
        assert found.visits == 2 * 18 + 2
        assert found.cost.of({}) == 2**18
        assert {limit_of(error) for error in found.errors} == {"cost", "root_fields"}

    def test_variables_do_not_bring_it_back(self) -> None:
        spread = (
            "posts(first: $n) { nodes { query { NEXT } } } p: posts(last: $n) { nodes { query { NEXT } } }"
        )
        query = doubled(4, spread).replace("{ ...F0 }", "query($n: Int) { ...F0 }", 1)
        found = survey(query)
        assert found.errors == [] or {limit_of(error) for error in found.errors} == {"depth"}
        assert len(found.cost.products) <= 2
        assert check_cost(found.cost, {"n": 100}, LIMITS) is not None
        assert check_cost(found.cost, {"n": 1}, LIMITS) is None

    def test_cycles_end(self) -> None:
        found = survey("{ ...A } fragment A on Query { post { id } ...B } fragment B on Query { ...A ...B }")
        assert found.visits == 6

    def test_unknown_fragments_are_left_to_validation(self) -> None:
        assert survey("{ ...Nowhere }").errors == []
