"""What is said in docs/threat-model.md of a deployment as a whole, held against one that really runs.

Two processes in production mode on PostgreSQL and Redis serve a resident, an officer and an attacker.
Whatever was personal in it is then looked for in everything that the deployment keeps or tells.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from models.identity import Relation, ResidencyRow, neighbour_key
from models.organisations import AppointmentRow
from models.roles import OrganisationKind, Role
from models.visibility import NOBODY
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import InvalidInput, RateLimited
from resolvers.identity import applications, sign_in, unmasking
from resolvers.identity.accounts import check_display_name
from resolvers.identity.sessions import open_session, viewer_of
from resolvers.organisations import PHONES_AN_HOUR, grant_role
from schema.node import global_id
from schema.settings import BadSettings, Settings
from tests.client import Refused
from tests.neighbourhood import Neighbourhood, deployment_of, prepared, running
from tests.nursery import nursery
from tests.servers import ROOT, Deployment, ServerProcess
from tests.wire import COMMENT, COMMENTS, POST, asked, connected, http_client, wired
from tests.world import World

pytestmark = pytest.mark.anyio

PHONE = "13987654321"
NAME = "欧阳植入"
DISPLAY = "显示名植入"
DOCUMENT = "11010519491231002X"
EVIDENCE = "不动产权证第0777777号"
SCRAPER = "scraper-of-metrics"
PASSWORD = "correct-horse-planted-battery"
BODY = "植入的帖子正文"
DEVICE = "PlantedDevice/7"
ADDRESS = "203.0.113.77"
OTHER_ADDRESS = "203.0.113.78"
# What nobody but its owner, and who was shown it, may find anywhere.
SECRETS = (PHONE, NAME, DOCUMENT, EVIDENCE, PASSWORD)

REQUEST_CODE = """mutation ($input: RequestSignInCodeInput!) { requestSignInCode(input: $input) {
  __typename ... on RequestSignInCodePayload { challenge } ... on Problem { code message } } }"""
SIGN_IN = """mutation ($input: SignInWithCodeInput!) { signInWithCode(input: $input) { __typename
  ... on SignInPayload { credentials { accessToken refreshToken } } ... on Problem { code message } } }"""
PASSWORD_IN = """mutation ($input: SignInWithPasswordInput!) { signInWithPassword(input: $input) { __typename
  ... on SignInPayload { credentials { accessToken } } ... on Problem { code message } } }"""
SET_PASSWORD = """mutation ($input: SetPasswordInput!) { setPassword(input: $input) { __typename
  ... on Problem { code message } } }"""
REFRESH = """mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) {
  ... on RefreshSessionPayload { credentials { accessToken refreshToken } } } }"""
APPLY = """mutation ($input: ApplyForResidencyInput!) { applyForResidency(input: $input) { __typename
  ... on ApplyForResidencyPayload { application { id version } } ... on Problem { code message } } }"""
UNMASK = """mutation ($input: UnmaskInput!) { unmask(input: $input) { __typename
  ... on UnmaskPayload { realName documentNumber phone evidence } ... on Problem { code } } }"""
APPROVE = """mutation ($input: ApproveResidencyInput!) { approveResidency(input: $input) { __typename
  ... on Problem { code message } } }"""
IMPORT = """mutation ($input: ImportHouseholdsInput!) { importHouseholds(input: $input) { __typename
  ... on ImportHouseholdsPayload { householdImport { problems { line message } } }
  ... on Problem { code message } } }"""


@dataclass
class Gateway:
    """An SMS gateway that keeps what it was given and answers with `status`."""

    url: str
    sent: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    def code(self) -> str:
        (code,) = re.findall(r"\b[0-9]{6}\b", self.sent[-1]["text"])
        return str(code)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            made.sent.append(json.loads(self.rfile.read(length)))
            self.send_response(made.status, "planted-reason " + made.sent[-1]["phone"])
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Gateway(f"http://127.0.0.1:{server.server_port}/send")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
async def production(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    gateway: Gateway,
    postgres_template: str,
) -> AsyncIterator[Neighbourhood]:
    settings = {
        "LINLI_MODE": "production",
        "LINLI_SMS_URL": gateway.url,
        "LINLI_METRICS_TOKEN": SCRAPER,
        "LINLI_TRUSTED_PROXIES": "127.0.0.1",
    }
    made = deployment_of("postgres", request, tmp_path, extra=settings)
    async with running(made), prepared(made) as neighbourhood:
        yield neighbourhood


@contextlib.asynccontextmanager
async def monitored(url: str) -> AsyncIterator[list[bytes]]:
    """All that Redis is told meanwhile."""
    port = int(url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"MONITOR\r\n")
    lines: list[bytes] = [await reader.readline()]

    async def read() -> None:
        while line := await reader.readline():
            lines.append(line)

    task = asyncio.create_task(read())
    try:
        yield lines
    finally:
        task.cancel()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def client_at(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client() as http:
        http.headers.update({"x-forwarded-for": address, "user-agent": DEVICE, "accept-language": "en"})
        yield http


async def raw(server: ServerProcess, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    try:
        async with asyncio.timeout(1):
            return await reader.read()
    except (TimeoutError, OSError):
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_what_is_personal_is_found_nowhere(  # noqa: C901 - one story, whose parts share what they plant
    production: Neighbourhood, gateway: Gateway
) -> None:
    deployment, world = production.deployment, production.world
    one, two = deployment.servers
    community = await world.community()
    home = await world.home(await world.building(await world.estate(community)))
    committee = await world.organisation(community)
    officer = (await production.app(await world.officer(committee, Role.ADMIN))).token
    assert officer is not None
    shown: list[str] = []
    tokens = [officer]

    async def told(
        http: httpx.AsyncClient, server: ServerProcess, token: str | None, query: str, variables: object
    ) -> str:
        """The text of the answer, whatever it is; it may not repeat what is personal."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await http.post(
            server.graphql, json={"query": query, "variables": variables}, headers=headers
        )
        shown.append(answer.text)
        return answer.text

    async with monitored(deployment.broadcast_url) as heard, client_at(ADDRESS) as http:
        # Signing in: well, badly, and while the gateway is out of order.
        asked_for = await asked(http, one, None, REQUEST_CODE, input={"phone": PHONE})
        named = {"challenge": asked_for["requestSignInCode"]["challenge"], "phone": PHONE}
        await told(http, two, None, SIGN_IN, {"input": {**named, "code": "000000x"}})
        code = gateway.code()
        signed_in = await asked(
            http, two, None, SIGN_IN, input={**named, "code": code, "displayName": DISPLAY}
        )
        credentials = signed_in["signInWithCode"]["credentials"]
        token, refresh = credentials["accessToken"], credentials["refreshToken"]
        tokens += [token, refresh]
        gateway.status = 500
        other = "13987654322"
        await told(http, one, None, REQUEST_CODE, {"input": {"phone": other}})
        await told(http, one, token, SET_PASSWORD, {"input": {"newPassword": PASSWORD}})
        for password in (PASSWORD, PASSWORD + "!"):
            await told(http, two, None, PASSWORD_IN, {"input": {"phone": PHONE, "password": password}})
            shown.pop()

        # Applying, with input that fits and that does not.
        given = {
            "homeId": global_id("Home", home.id),
            "relation": "OWNER",
            "realName": NAME,
            "documentNumber": DOCUMENT,
            "evidence": EVIDENCE,
            "idempotencyKey": "one",
        }
        for wrong in (
            {"realName": {"is": NAME}},
            {"documentNumber": [DOCUMENT]},
            {"relation": NAME},
            {"documentNumber": DOCUMENT[:-1] + "1"},
            {NAME: DOCUMENT},
            {"homeId": EVIDENCE},
            {"realName": NAME + "\ud800"},
        ):
            text = json.dumps({"query": APPLY, "variables": {"input": {**given, **wrong}}})
            answer = await http.post(
                one.graphql,
                content=text,
                headers={"content-type": "application/json", "authorization": f"Bearer {token}"},
            )
            shown.append(answer.text)
        applied = await asked(http, two, token, APPLY, input=given)
        application = applied["applyForResidency"]["application"]
        await told(http, one, token, APPLY, {"input": {**given, "idempotencyKey": "two"}})
        # Documents that hold what should have been a variable are the client's own; only their logs count.
        for document in (
            f'{{ viewr(name: "{NAME}") }}',
            f"{{ {NAME}",
            f'{{ node(id: "{DOCUMENT}") {{ id }} }}',
        ):
            await told(http, one, token, document, {})
            shown.pop()

        # The officer is shown it in clear, which nobody else's answer is.
        subject = {"subjectId": application["id"], "reason": "核对产权证"}
        unmasked = await asked(http, two, officer, UNMASK, input=subject)
        assert unmasked["unmask"] == {
            "__typename": "UnmaskPayload",
            "realName": NAME,
            "documentNumber": DOCUMENT,
            "phone": f"+86{PHONE}",
            "evidence": EVIDENCE,
        }
        assert "NotFound" in await told(http, one, token, UNMASK, {"input": subject})
        for csv in (
            f"小区,楼栋,单元,房号,面积,姓名,证件号,手机号,关系\n园,1,1,101,80,{NAME},{DOCUMENT[:-1]}1,{PHONE},业主",
            f"小区,楼栋,单元,房号,面积,姓名,证件号,手机号,关系\n园,1,1,102,80,{NAME},E1234567,{PHONE},{EVIDENCE}",
            f'小区,"楼栋\n{NAME}{DOCUMENT}',
        ):
            given_csv = {
                "organisationId": global_id("Organisation", committee.id),
                "csv": csv,
                "idempotencyKey": csv[-30:].encode().hex()[:60],
            }
            await told(http, one, officer, IMPORT, {"input": given_csv})
        decision = {"applicationId": application["id"], "version": application["version"]}
        await told(http, two, officer, APPROVE, {"input": decision})

        # Writing, live, with a database that refuses and repeats what it was given.
        post = {
            "communityId": global_id("Community", community.id),
            "kind": "TALK",
            "body": BODY,
            "idempotencyKey": "post",
        }
        made = (await asked(http, one, token, POST, input=post))["createPost"]["postEdge"]["node"]["id"]
        async with wired(two, token, additional_headers={"x-forwarded-for": ADDRESS}) as wire:
            await wire.subscribe(COMMENTS, subject=made)
            assert (await wire.event())["event"]["__typename"] == "StreamOpened"
            comment = {"subjectId": made, "body": BODY, "idempotencyKey": "comment"}
            await asked(http, one, token, COMMENT, input=comment)
            await wire.event()
            await wire.send({"type": "ping", "payload": {"name": NAME}})
            await wire.send({"type": NAME, "payload": {"phone": PHONE}})
            assert await wire.closed() == 4400
        async with connected(one) as wire:
            await wire.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token}x"}})
            assert await wire.closed() == 4403
        async with connected(one) as wire:
            await wire.send(f'{{"{NAME}": ')
            assert await wire.closed() == 4400
        await refuse_posts(production)
        text = await told(http, one, token, POST, {"input": {**post, "idempotencyKey": "refused"}})
        fault = json.loads(text)["errors"][0]
        assert fault["extensions"]["code"] == "INTERNAL"
        async with wired(two, token) as wire:
            await wire.subscribe(POST, input={**post, "idempotencyKey": "refused too"})
            message = await wire.receive()
            shown.append(json.dumps(message, ensure_ascii=False))

        # Requests that are none.
        await raw(one, f"GET /graphql?name={PHONE} HTTP/9.7\r\nX: {PHONE}\r\n\r\n".encode())
        await raw(one, f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: {PHONE}x\r\n\r\n".encode())
        await raw(one, f"GET /graphql?n={PHONE} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n".encode())
        ours: list[Any] = [
            {"x-request-id": f"{PHONE}\t{NAME}".encode()},
            {"authorization": f"Bearer {PHONE}"},
        ]
        for headers in ours:
            answer = await http.post(two.graphql, content=b"{", headers=headers)
            shown.append(answer.text)
        await http.get(f"{one.http}/{PHONE}")

        # The refresh token, used twice.
        new = await asked(http, one, token, REFRESH, input={"refreshToken": refresh})
        tokens += new["refreshSession"]["credentials"].values()
        async with client_at(OTHER_ADDRESS) as thief:
            thief.headers["user-agent"] = "another"
            with pytest.raises(Refused):
                await asked(thief, two, None, REFRESH, input={"refreshToken": refresh})
        scraping = {"authorization": f"Bearer {SCRAPER}"}
        metrics = [(await http.get(f"{server.http}/metrics", headers=scraping)).text for server in (one, two)]
        assert all("linli_operations_total" in text for text in metrics)
        await asyncio.sleep(0.2)

    for server in (one, two):
        server.stop()
    printed = "".join(server.output() for server in (one, two))
    assert fault["extensions"]["id"] in printed
    assert [line for line in printed.splitlines() if not is_json(line)] == []
    assert any(b"community:" in line for line in heard)
    told_to_redis = b"\n".join(heard).decode()
    for where, text in {
        "logs": printed,
        "metrics": "\n".join(metrics),
        "Redis": told_to_redis,
        "answers": "\n".join(shown),
    }.items():
        for secret in (*SECRETS, other, code, *tokens):
            assert secret not in text, f"{secret} in {where}"
    for where, text in {"logs": printed, "metrics": "\n".join(metrics), "Redis": told_to_redis}.items():
        for personal in (BODY, DISPLAY, DEVICE, ADDRESS, OTHER_ADDRESS):
            assert personal not in text, f"{personal} in {where}"
    kept = await dumped(production)
    assert ADDRESS in kept["rate_count"]
    assert PHONE not in kept["session"]
    for table, text in kept.items():
        for secret in (*SECRETS, other, *tokens):
            assert secret not in text, f"{secret} in {table}"
    for table in (
        "event",
        "topic",
        "idempotent_call",
        "audit_entry",
        "household_import",
        "notification",
        "job",
    ):
        for personal in (BODY, DISPLAY, DEVICE, ADDRESS, OTHER_ADDRESS):
            assert personal not in kept[table], f"{personal} in {table}"


def is_json(line: str) -> bool:
    with contextlib.suppress(json.JSONDecodeError):
        return isinstance(json.loads(line), dict)
    return False


async def refuse_posts(production: Neighbourhood) -> None:
    """From now on the database refuses posts, and says which."""
    async with owner(production) as database:
        await database.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no: %', NEW USING DETAIL = NEW.body, HINT = NEW.body; END $$"
        )
        await database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION refuse()"
        )


@contextlib.asynccontextmanager
async def owner(production: Neighbourhood) -> AsyncIterator[asyncpg.Connection]:
    database = await asyncpg.connect(production.deployment.database_url.replace("asyncpg:", "postgres:", 1))
    try:
        yield database
    finally:
        await database.close()


async def dumped(production: Neighbourhood) -> dict[str, str]:
    """The text of every row, by table."""
    async with owner(production) as database:
        tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            name: "\n".join(
                row["row"] for row in await database.fetch(f'SELECT t::text AS "row" FROM "{name}" t')
            )
            for (name,) in tables
        }


async def test_nobody_chooses_the_address_that_limits_count(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "linli.db"
    shutil.copy(sqlite_template, path)
    async with running(Deployment(f"sqlite://{path}", "memory://", tmp_path)) as made:
        answers = []
        async with http_client() as http:
            for number in range(61):
                http.headers["x-forwarded-for"] = f"203.0.113.{number}" if number % 2 else "no address"
                phone = {"phone": f"139{number:04}0000"}
                answer = await asked(http, made.servers[0], None, REQUEST_CODE, input=phone)
                answers.append(answer["requestSignInCode"]["__typename"])
    assert answers == ["RequestSignInCodePayload"] * 60 + ["RateLimited"]


async def test_those_without_a_proper_address_are_one_client(world: World) -> None:
    one, other = (Context(world.services, NOBODY, address=address) for address in ("unix:", "somebody"))
    await limits.check_address(one, "act", limits.Limit(1, 60))
    with pytest.raises(RateLimited):
        await limits.check_address(other, "act", limits.Limit(1, 60))


@pytest.mark.parametrize("value", ["*", "0.0.0.0/0", "::/0", "proxy.example"])
def test_proxies_are_named_by_address(tmp_path: Path, value: str) -> None:
    env = {"LINLI_DATA_DIR": str(tmp_path), "LINLI_TRUSTED_PROXIES": f"10.0.0.7,{value}"}
    with pytest.raises(BadSettings, match="LINLI_TRUSTED_PROXIES"):
        Settings.from_environment(env)


async def test_who_was_not_approved_is_a_stranger_again(world: World) -> None:
    """However well another community knows them later."""
    first, later = await world.community(), await world.community()
    applicant = await world.account()
    seen = []
    for community in (first, later):
        home = await world.home(await world.building(await world.estate(community)))
        officer = await world.officer(await world.organisation(community))
        row = await applications.apply(
            await world.context(applicant),
            home_id=home.id,
            relation=Relation.OWNER,
            real_name=NAME,
            document_number=DOCUMENT,
            evidence="",
            key=str(home.id),
        )
        ctx = await world.context(officer)
        if community is first:
            await applications.reject(ctx, application_id=row.id, version=1, reason="无法核实")
        else:
            await applications.approve(ctx, application_id=row.id, version=1)
        seen.append((ctx, row.id))
    (ctx, rejected), (other, approved) = seen
    shown = await unmasking.unmask(ctx, application_id=rejected, reason="再看一次")
    assert shown == unmasking.UnmaskedPerson(None, None, None, None)
    assert await unmasking.masked_names(ctx, [await applications.application(rejected)]) == [None]
    assert await unmasking.masked_documents(ctx, [await applications.application(rejected)]) == [None]
    shown = await unmasking.unmask(other, application_id=approved, reason="再看一次")
    assert (shown.real_name, shown.document_number) == (NAME, DOCUMENT)


async def test_passwords_are_not_hashed_without_end(world: World) -> None:
    account = await world.account()
    signed_in = await open_session(world.services, account.id, "")
    viewer, _ = await viewer_of(world.services, signed_in.access_token)
    for number in range(sign_in.PASSWORDS_PER_DEVICE.count):
        await sign_in.set_password(Context(world.services, viewer), new=f"correct horse {number}")
    with pytest.raises(RateLimited):
        await sign_in.set_password(Context(world.services, viewer), new="one more password")


@pytest.mark.parametrize("name", ["居委\u200b会", "\u202e会委居", "\u2066王\u2069", "\ufeff王", "\u3164"])
async def test_no_name_disguises_itself(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_display_name(name)
    assert check_display_name("👩‍👩‍👧 一家") == "👩‍👩‍👧 一家"


async def test_phones_cannot_be_tried_out_by_appointing(world: World) -> None:
    organisation = await world.organisation(await world.community(), OrganisationKind.MERCHANT)
    ctx = await world.context(await world.officer(organisation, Role.ADMIN))

    async def appoint(number: int) -> None:
        await grant_role(ctx, organisation_id=organisation.id, role=Role.OFFICER, phone=f"137{number:08}")

    for number in range(PHONES_AN_HOUR):
        with pytest.raises(InvalidInput):
            await appoint(number)
    with pytest.raises(RateLimited):
        await appoint(PHONES_AN_HOUR)


async def test_a_neighbour_elsewhere_is_not_appointed_by_face(world: World) -> None:
    """Else whoever belongs to two communities ties together the two faces of an account."""
    here, there = await world.community(), await world.community()
    organisation = await world.organisation(here)
    admin = await world.officer(organisation, Role.ADMIN)
    home = await world.home(await world.building(await world.estate(there)))
    await ResidencyRow.create(
        community_id=there.id, account_id=admin.id, home_id=home.id, relation=Relation.OWNER
    )
    stranger = await world.neighbour(there)
    with pytest.raises(InvalidInput):
        await grant_role(
            await world.context(admin),
            organisation_id=organisation.id,
            role=Role.OFFICER,
            neighbour_id=neighbour_key(there.id, stranger.id),
        )
    assert await AppointmentRow.filter(account_id=stranger.id).count() == 0


def test_what_libraries_log_repeats_no_exception(tmp_path: Path) -> None:
    program = """
import asyncio, gc, logging
from schema.serving.observability import configure_logging

async def main():
    async def fail():
        raise ValueError("planted-in-a-task")
    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()

configure_logging(production=True)
asyncio.run(main())
logging.getLogger("uvicorn.error").error("Traceback (most recent call last):\\n  ValueError: planted-in-text")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "never retrieved" in done.stdout
    assert "ValueError" in done.stdout
    assert "planted" not in done.stdout + done.stderr


def test_files_are_for_the_deployment_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LINLI_DATA_DIR": str(data)}
    assert nursery().run(env, "migrate").returncode == 0
    assert (data / "linli.db").exists()
    for path in (data, *data.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
