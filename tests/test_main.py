"""The server as its operator meets it: settings, plain routes, commands."""

import base64
import os
import secrets
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from models import database
from schema.application import Application
from schema.settings import BadSettings, Settings
from tests.nursery import nursery
from tests.servers import ROOT, throwaway_secrets

GRAPHQL = "http://linli/graphql"


def production(tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "LINLI_MODE": "production",
        "LINLI_DATA_DIR": str(tmp_path),
        "LINLI_SMS_URL": "https://sms.example/send",
        **throwaway_secrets(),
        **more,
    }


def client(served: Application) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(served.asgi), base_url="http://linli")


async def test_an_address_with_a_slash_too_many_leads_to_the_right_one(tmp_path: Path) -> None:
    async with client(Application(Settings.from_environment(production(tmp_path)))) as http:
        answer = await http.post("/graphql/", json={"query": "{ __typename }"})
        assert (answer.status_code, answer.headers["location"]) == (307, "http://linli/graphql")


@pytest.mark.parametrize("name", ["LINLI_KEYS", "LINLI_INDEX_KEY", "LINLI_TOKEN_KEY", "LINLI_SMS_URL"])
def test_production_has_no_default_secret(tmp_path: Path, name: str) -> None:
    env = production(tmp_path)
    del env[name]
    with pytest.raises(BadSettings, match=name):
        Settings.from_environment(env)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LINLI_KEYS", "nonsense"),
        ("LINLI_KEYS", "a:" + base64.b64encode(b"short").decode()),
        ("LINLI_INDEX_KEY", "?"),
        ("LINLI_TOKEN_KEY", "short"),
        ("LINLI_PORT", "web"),
        ("LINLI_MODE", "test"),
        ("LINLI_EXECUTION", "fastest"),
        ("LINLI_DATABASE_URL", "mysql://host/db"),
        ("LINLI_BROADCAST_URL", "kafka://host"),
        ("LINLI_PORT", "0"),
        ("LINLI_PORT", "65536"),
        ("LINLI_PROCESSES", "0"),
        ("LINLI_CONNECTIONS", "-1"),
        ("LINLI_LOG_DAYS", "0"),
        ("LINLI_LOG_EVENTS", "-5"),
        ("LINLI_LOG_EVENTS", "1.5"),
        ("LINLI_ORIGINS", "*"),
        ("LINLI_ORIGINS", "https://app.example/path"),
        ("LINLI_ORIGINS", "https://app.example/"),
        ("LINLI_ORIGINS", "app.example"),
        ("LINLI_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("LINLI_TRUSTED_PROXIES", "the proxy"),
        ("LINLI_SMS_URL", "http://sms.example/send"),
        ("LINLI_DOCUMENTS_ONLY", "perhaps"),
        ("LINLI_DOCUMENTS_ONLY", "true"),
        ("LINLI_DOCUMENTS", "/nowhere/documents.json"),
    ],
)
def test_bad_settings_name_the_variable_and_not_its_value(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSettings) as refused:
        Settings.from_environment(production(tmp_path, **{name: value}))
    assert name in str(refused.value)
    assert len(value) < 6 or value not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "likely"), [("LINLI_LOG_DAY", "LINLI_LOG_DAYS"), ("LINLI_DATABSE_URL", "LINLI_DATABASE_URL")]
)
def test_a_misspelt_name_is_refused_with_the_right_one(tmp_path: Path, name: str, likely: str) -> None:
    with pytest.raises(BadSettings, match=f"{name} is no setting; do you mean {likely}?"):
        Settings.from_environment(production(tmp_path, **{name: "7"}))


def test_several_processes_in_production_need_postgresql(tmp_path: Path) -> None:
    env = production(tmp_path, LINLI_PROCESSES="2", LINLI_BROADCAST_URL="redis://localhost")
    with pytest.raises(BadSettings, match="PostgreSQL"):
        Settings.from_environment(env)
    assert Settings.from_environment({**env, "LINLI_DATABASE_URL": "postgres://host/db"}).processes == 2


async def test_metrics_in_production_are_for_whoever_has_the_token(tmp_path: Path) -> None:
    for env in (production(tmp_path), production(tmp_path, LINLI_METRICS_TOKEN="scrape")):
        token = env.get("LINLI_METRICS_TOKEN")
        async with client(Application(Settings.from_environment(env))) as http:
            for sent in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer scrap"}):
                answer = await http.get("/metrics", headers=sent)
                assert (answer.status_code, answer.text) == (401, "")
            answer = await http.get("/metrics", headers={"authorization": f"Bearer {token or 'scrape'}"})
            assert answer.status_code == (200 if token else 401)


def test_several_processes_need_a_bus_between_them(tmp_path: Path) -> None:
    env = production(tmp_path, LINLI_PROCESSES="2")
    with pytest.raises(BadSettings, match="memory://"):
        Settings.from_environment(env)
    connected = {"LINLI_BROADCAST_URL": "redis://localhost", "LINLI_DATABASE_URL": "postgres://host/db"}
    assert Settings.from_environment({**env, **connected}).production


def test_a_demo_keeps_the_secrets_of_its_first_start(tmp_path: Path) -> None:
    env = {"LINLI_DATA_DIR": str(tmp_path)}
    first = Settings.from_environment(env)
    again = Settings.from_environment(env)
    sealed = first.sealing.seal("phone", "+8613800000001")
    assert again.sealing.open("phone", sealed) == "+8613800000001"
    assert (tmp_path / "demo-secrets.env").stat().st_mode & 0o077 == 0


async def test_production_shows_neither_graphiql_nor_its_schema(tmp_path: Path) -> None:
    async with client(Application(Settings.from_environment(production(tmp_path)))) as http:
        assert (await http.get("/graphiql/")).status_code == 404
        answer = await http.post("/graphql", json={"query": "{ __schema { queryType { name } } }"})
        assert "introspection" in answer.json()["errors"][0]["message"].lower()
        assert "data" not in answer.json()
        misspelt = await http.post("/graphql", json={"query": "{ viewr { displayName } }"})
        assert "Did you mean" not in misspelt.text


async def test_the_demo_ships_its_own_graphiql(tmp_path: Path) -> None:
    made = Application(Settings.from_environment({"LINLI_DATA_DIR": str(tmp_path)}))
    async with client(made) as http:
        assert (await http.get("/")).headers["location"] == "/graphiql/"
        page = await http.get("/graphiql/")
        assert page.status_code == 200
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert (await http.get("/graphiql/graphiql.js")).status_code == 200
        assert (await http.get("/graphiql/../../../main.py")).status_code == 404


async def test_readiness_is_the_databases(tmp_path: Path) -> None:
    settings = Settings.from_environment({"LINLI_DATA_DIR": str(tmp_path)})
    await database.migrate(settings.database)
    made = Application(settings)
    async with client(made) as http:
        async with made.asgi.router.lifespan_context(made.asgi):
            assert (await http.get("/healthz")).json() == {"status": "ok"}
            assert (await http.get("/readyz")).json() == {"ready": True, "database": "ok", "bus": "ok"}
            made.websocket.draining = True
            assert (await http.get("/readyz")).status_code == 503
            made.websocket.draining = False
        # The database is closed now.
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["database"]) == (503, "unreachable")
        assert (await http.get("/healthz")).status_code == 200


async def test_metrics_are_served(tmp_path: Path) -> None:
    made = Application(Settings.from_environment({"LINLI_DATA_DIR": str(tmp_path)}))
    async with client(made) as http:
        await http.post("/graphql", json={"query": "{ __typename }"})
        text = (await http.get("/metrics")).text
    for name in (
        'linli_operations_total{kind="query",outcome="ok"}',
        "linli_operation_seconds_bucket",
        "linli_connections",
        "linli_delivery_lag_seconds",
        "linli_buffered_frames",
        "linli_log_events",
        "linli_reference_executions_total",
        "linli_bus_healthy",
    ):
        assert name in text


async def test_only_listed_origins_may_call_from_a_browser(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"LINLI_DATA_DIR": str(tmp_path), "LINLI_ORIGINS": "https://app.example, https://screen.example"}
    )
    async with client(Application(settings)) as http:

        async def preflight(origin: str) -> httpx.Response:
            return await http.options(
                "/graphql",
                headers={
                    "origin": origin,
                    "access-control-request-method": "POST",
                    "access-control-request-headers": "authorization,content-type",
                },
            )

        allowed = await preflight("https://screen.example")
        assert allowed.headers["access-control-allow-origin"] == "https://screen.example"
        refused = await preflight("https://elsewhere.example")
        assert "access-control-allow-origin" not in refused.headers

        async def posted(**headers: str) -> httpx.Response:
            response = await http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert response.json() == {"data": {"__typename": "Query"}}
            assert response.headers["cache-control"] == "no-store"
            return response

        allowed = await posted(origin="https://app.example")
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "Origin" in allowed.headers["vary"]
        for other in (await posted(origin="https://elsewhere.example"), await posted()):
            assert "access-control-allow-origin" not in other.headers


def command(tmp_path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LINLI_DATA_DIR": str(tmp_path), **env}
    return nursery().run(env, *arguments)


def test_a_port_that_is_taken_is_said_before_anything_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = command(tmp_path, LINLI_PORT=port)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert port in refused.stderr
    assert "choose another port with LINLI_PORT" in refused.stderr


def test_a_command_that_fails_says_why_in_one_line(tmp_path: Path) -> None:
    early = command(tmp_path, "token", "13900000002")
    assert (early.returncode, early.stdout) == (1, "")
    assert "Has `main.py migrate` been run?" in early.stderr
    assert command(tmp_path, "migrate").returncode == 0
    for phone, why in (("139", "Is not a mobile phone number"), ("13900000002", "No account has this phone")):
        failed = command(tmp_path, "token", phone)
        assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", f"{why}\n")


def test_the_printed_schema_is_the_repositorys(tmp_path: Path) -> None:
    printed = command(tmp_path, "schema")
    assert printed.returncode == 0
    assert printed.stdout == (ROOT / "schema.graphql").read_text()


def test_seeding_twice_makes_one_community(tmp_path: Path) -> None:
    assert command(tmp_path, "migrate").returncode == 0
    assert command(tmp_path, "migrate").returncode == 0
    assert "ready" in command(tmp_path, "seed").stdout
    assert "nothing added" in command(tmp_path, "seed").stdout
    assert command(tmp_path, "token", "13900000001").stdout.count(".") == 2


def test_demo_commands_refuse_production(tmp_path: Path) -> None:
    env = production(tmp_path)
    for name in ("seed", "token", "scenario"):
        arguments = [name, "13900000001"] if name == "token" else [name]
        refused = command(tmp_path, *arguments, **env)
        assert refused.returncode == 2
        assert "demo" in refused.stderr


def test_secrets_in_the_environment_never_reach_the_screen(tmp_path: Path) -> None:
    secret = secrets.token_hex(4)
    refused = command(tmp_path, **production(tmp_path, LINLI_TOKEN_KEY=secret))
    assert refused.returncode == 2
    assert secret not in refused.stdout + refused.stderr
