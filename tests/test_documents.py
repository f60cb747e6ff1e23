import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
from starlette.applications import Starlette
from starlette.routing import Route

from schema.serving.allowance import Preparation
from schema.serving.documents import LEARNED_CHARS, Documents, UnknownDocument, manifest, named, sha256
from schema.serving.endpoint import GraphQLEndpoint
from schema.serving.operations import Operations
from schema.settings import BadSettings, Settings
from tests.test_endpoint import (
    LEGACY,
    MODERN,
    Mutation,
    Query,
    Subscription,
    context_for,
    written,
)

ECHO = "query Echo($text: String!) { echo(text: $text) }"
WHO = "{ who }"


def code_of(documents: Documents, query: str | None, name: str | None) -> str:
    with pytest.raises(UnknownDocument) as refused:
        documents.text(query, name)
    return str((refused.value.error.extensions or {})["code"])


class TestDocuments:
    def test_a_text_without_a_name_is_itself(self) -> None:
        assert Documents().text(ECHO, None) == ECHO

    def test_a_text_is_remembered_once_it_came_with_its_name(self) -> None:
        documents = Documents()
        assert code_of(documents, None, sha256(ECHO)) == "PERSISTED_QUERY_NOT_FOUND"
        assert documents.text(ECHO, sha256(ECHO)) == ECHO
        assert documents.text(None, sha256(ECHO)) == ECHO

    def test_a_text_under_another_name_is_refused_and_not_remembered(self) -> None:
        documents = Documents()
        assert code_of(documents, WHO, sha256(ECHO)) == "PERSISTED_QUERY_MISMATCH"
        assert code_of(documents, None, sha256(ECHO)) == "PERSISTED_QUERY_NOT_FOUND"

    def test_what_is_remembered_is_bounded(self) -> None:
        documents = Documents({sha256(WHO): WHO})
        text = ECHO + "#" * 30_000
        for number in range(LEARNED_CHARS // len(text) + 2):
            documents.text(f"{text}{number}", sha256(f"{text}{number}"))
        assert code_of(documents, None, sha256(f"{text}0")) == "PERSISTED_QUERY_NOT_FOUND"
        assert documents.text(None, sha256(f"{text}5")) == f"{text}5"
        assert documents.text(None, sha256(WHO)) == WHO
        vast = "#" * (LEARNED_CHARS + 1)
        assert documents.text(vast, sha256(vast)) == vast
        assert documents.text(None, sha256(f"{text}5")) == f"{text}5"

    def test_an_app_may_be_held_to_its_documents(self) -> None:
        documents = Documents({sha256(ECHO): ECHO}, trusted_only=True)
        assert documents.text(None, sha256(ECHO)) == ECHO
        assert documents.text(ECHO, None) == ECHO
        assert documents.text(ECHO, sha256(ECHO)) == ECHO
        assert code_of(documents, WHO, None) == "DOCUMENT_NOT_TRUSTED"
        assert code_of(documents, WHO, sha256(WHO)) == "DOCUMENT_NOT_TRUSTED"
        assert code_of(documents, None, sha256(WHO)) == "DOCUMENT_NOT_TRUSTED"
        assert code_of(documents, WHO, sha256(ECHO)) == "PERSISTED_QUERY_MISMATCH"


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 7},
        {"documentId": "sha256:beef"},
        {"documentId": "x" * 64},
        {"extensions": {"persistedQuery": "no"}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ["0" * 64]}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
    ],
)
def test_a_name_is_a_hash(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"SHA-256|version 1"):
        named(body)


@pytest.mark.parametrize("text", ["[]", '"x"', json.dumps({sha256(WHO): ECHO}), json.dumps({"x": 1}), "{"])
def test_a_manifest_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        manifest(text.encode())


def test_settings_name_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({f"sha256:{sha256(ECHO)}": ECHO}))

    def app_documents(env: dict[str, str]) -> Documents:
        return Settings.from_environment({"LINLI_DATA_DIR": str(tmp_path), **env}).known_documents()

    documents = app_documents({"LINLI_DOCUMENTS": str(path), "LINLI_DOCUMENTS_ONLY": "yes"})
    assert documents.trusted == {sha256(ECHO): ECHO}
    assert documents.trusted_only
    assert not app_documents({"LINLI_DOCUMENTS": str(path)}).trusted_only
    assert app_documents({}).trusted == {}
    for env in ({"LINLI_DOCUMENTS_ONLY": "yes"}, {"LINLI_DOCUMENTS": str(tmp_path / "none.json")}):
        with pytest.raises(BadSettings, match="LINLI_DOCUMENTS"):
            app_documents(env)


def client_of(documents: Documents) -> httpx.AsyncClient:
    operations = Operations(strawberry.Schema(Query, Mutation, Subscription)._schema, introspection=True)
    app = Starlette(
        routes=[Route("/graphql", GraphQLEndpoint(Preparation(operations), context_for, documents))]
    )
    written.clear()
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def apollo(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}


async def test_apollos_way_over_http(anyio_backend: str) -> None:
    async with client_of(Documents()) as client:
        asked = {"extensions": apollo(ECHO), "variables": {"text": "你好"}}
        for accept, status in ((MODERN, 400), (LEGACY, 200)):
            response = await client.post("/graphql", json=asked, headers={"accept": accept})
            assert response.status_code == status
            (error,) = response.json()["errors"]
            assert error["message"] == "PersistedQueryNotFound"
            assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        for body in (asked | {"query": ECHO}, asked):
            assert (await client.post("/graphql", json=body)).json() == {"data": {"echo": "你好"}}
        by_get = await client.get(
            "/graphql",
            params={"extensions": json.dumps(apollo(ECHO)), "variables": '{"text": "喂"}'},
            headers={"apollo-require-preflight": "1"},
        )
        assert by_get.json() == {"data": {"echo": "喂"}}


async def test_a_documents_id_over_http(anyio_backend: str) -> None:
    async with client_of(Documents({sha256(ECHO): ECHO}, trusted_only=True)) as client:
        body = {"documentId": f"sha256:{sha256(ECHO)}", "variables": {"text": "a"}}
        assert (await client.post("/graphql", json=body)).json() == {"data": {"echo": "a"}}
        refused = await client.post("/graphql", json={"query": 'mutation { write(text: "x") }'})
        assert refused.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
        assert written == []
        for bad in ({"documentId": "sha256:1"}, {}, {"query": 5, "documentId": sha256(ECHO)}):
            assert (await client.post("/graphql", json=bad)).status_code == 400
