"""Story 15, isolation: whatever one guesses, nothing of another community comes back or changes.

The test walks the schema as the running server describes it, so that a field which is added is tried without
anybody thinking of it. If there is something that it cannot make, it fails and says what: a type that
`furnish` makes no object of, a scalar without a sample, a place for an id that no call gets as far as.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from graphql import build_client_schema, get_introspection_query
from tortoise import Tortoise

from models.base import now
from models.identity import AccountRow, CommunityRow, ResidencyRow, neighbour_key
from models.jobs import JobRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from models.storage.rows import dialect, execute
from schema.node import global_id, type_and_key
from tests.client import App
from tests.neighbourhood import Neighbourhood
from tests.schema_walk import Call, CannotMake, Position, Sample, Samples, Walk
from tests.servers import Deployment
from tests.soak import SOAK, soak
from tests.stories import branch as party_branch
from tests.stories import branch_contents, deliberating, groups, serving
from tests.stories.activities import CREATE_ACTIVITY, EDIT_ACTIVITY, SIGN_UP
from tests.stories.assembly import ADOPT, ANNOUNCE, CREATE, ENTER, ITEMS
from tests.wire import COMMENT, GUARD_SECONDS, POST, Lines, Wire, wired

pytestmark = [pytest.mark.anyio, soak]

# The address register is public on purpose: whoever applies for a home must find it, so that any signed-in
# account may read where there are homes. Who lives in them is no part of it. Type → the fields that may say
# something.
REGISTER: dict[str, set[str]] = {
    "Community": {"id", "name", "estates", "grids"},
    "Estate": {"id", "name", "address", "buildings"},
    "Building": {"id", "name", "estate", "grid", "homes"},
    "Home": {"id", "unit", "number", "areaCm2", "label", "building"},
    "Grid": {"id", "name", "version"},
}
# What may be added to another community from outside of it: table → mutation and why.
WRITTEN_FROM_OUTSIDE = {
    "residency_application": (
        "applyForResidency",
        "Who moves there applies there, and its committee decides",
    ),
}

SECRET = "Kq7xSecret"
ARTICLES = {"PartyNews": "NEWS", "PartyAffair": "AFFAIR"}
SAMPLES = Samples(
    scalars={
        "String": "walk",
        "Int": 1,
        "Boolean": True,
        "DateTime": "2099-01-01T00:00:00Z",
        "Date": "2099-01-01",
    },
    names={
        "phone": "+8613700000001",
        "documentNumber": "11010519491231002X",
        "csv": "estate,building,unit,number,area,name,document,phone,relation\n",
        "newPassword": "correct horse",
        "reason": "why not",
        "since": "2020-01-01T00:00:00Z",
        "first": 2,
        "last": 2,
        "language": "en",
        "scopeKind": "BUILDINGS",
        "closesAt": "2099-02-01T00:00:00Z",
        "visitedAt": now().isoformat(),
        "dueAt": (now() + timedelta(days=7)).isoformat(),
        "channel": "PAPER",
        "opens": "09:00",
        "closes": "12:00",
        "code": "walk",
        "doneOn": "2026-01-01",
    },
    kinds={
        "subjectId": [
            *("Post", "Notice", "Comment", "Residency", "ResidencyApplication"),
            *("Deliberation", "ServiceRequest", "Motion"),
        ],
        "citedStatementIds": ["Statement"],
        "replyTo": ["Comment"],
        "placeId": ["Community", "Building"],
        "author": ["Neighbour"],
        "ids": ["Notification"],
        "upTo": ["Notification"],
        "requestId": ["ServiceRequest"],
        "entryId": ["DirectoryEntry"],
        "slotId": ["AppointmentSlot"],
        "ratingId": ["EntryRating"],
        "licenceId": ["MerchantLicence"],
        "intoId": ["ServiceRequest"],
        "scopeIds": ["Building"],
        "proxyId": ["VoteProxy"],
        "officeId": ["Organisation"],
        "office": ["Organisation"],
        "assigneeId": ["Neighbour"],
        "branchId": ["Organisation"],
        "memberId": ["PartyMember"],
        "newsId": ["PartyNews"],
        "affairId": ["PartyAffair"],
        "articleId": ["PartyNews", "PartyAffair"],
        "pledgeId": ["PioneerPledge"],
        "deedId": ["PioneerDeed"],
        "coverId": ["Picture"],
        "portraitId": ["Picture"],
        "pictureId": ["Picture"],
        "lessonId": ["PartyLesson"],
        "itemId": ["MotionItem", "PartyLessonItem"],
        "completionId": ["PartyLessonCompletion"],
        "visitId": ["HomeVisit"],
        "visitorIds": ["Neighbour"],
        "opinionId": ["PartyOpinion"],
        "hostId": ["Organisation", "Group"],
        "host": ["Organisation", "Group"],
        "signUpId": ["ActivitySignUp"],
    },
    inputs={"AudienceInput": {"role": {"organisationKind": "RESIDENTS_COMMITTEE", "role": "ADMIN"}}},
)
AT_ONCE = 8
# The walk sends thousands of documents that no app would, all from one address.
UNCHARGED = "from schema.serving.allowance import Purses\nPurses.spend = lambda *_: None\n"

PUBLISH = """mutation Publish($input: PublishNoticeInput!) { publishNotice(input: $input) { __typename
  ... on PublishNoticePayload { notice { id } } ... on Problem { code message } } }"""
APPLY = """mutation Apply($input: ApplyForResidencyInput!) { applyForResidency(input: $input) { __typename
  ... on ApplyForResidencyPayload { application { id } } ... on Problem { code message } } }"""
IMPORT = """mutation Import($input: ImportHouseholdsInput!) { importHouseholds(input: $input) { __typename
  ... on ImportHouseholdsPayload { householdImport { id imported } } ... on Problem { code message } } }"""
INVITE = """mutation Invite($input: InviteOfficerInput!) { inviteOfficer(input: $input) { __typename
  ... on InviteOfficerPayload { invitation { id } } ... on Problem { code message } } }"""
PROPOSE_PHONE = """mutation Propose($input: ProposePhoneChangeInput!) { proposePhoneChange(input: $input) {
  __typename ... on Problem { code message } } }"""
REPORT = """mutation Report($input: SubmitRequestInput!) { submitRequest(input: $input) { __typename
  ... on Problem { code message } } }"""
LIKE = """mutation Like($input: SetLikeInput!) { setLike(input: $input) { __typename
  ... on Problem { code message } } }"""
EDIT = """mutation Edit($input: EditPostInput!) { editPost(input: $input) { __typename
  ... on Problem { code message } } }"""
CURSOR = """query Cursor($community: ID!) { community: node(id: $community) { ... on Community {
    posts(first: 1) { pageInfo { endCursor } } } } }"""
EVERYTHING = """subscription Everything($id: ID!) { communityEvents(communityId: $id) { cursor event {
  __typename ... on PostCreated { post { body } } } } }"""
PROXY = """mutation Proxy($input: RequestProxyInput!) { requestProxy(input: $input) { __typename
  ... on Problem { code message } } }"""
NODE = "query Any($id: ID!) { node(id: $id) { __typename id } }"


@pytest.fixture
def undeployed(undeployed: Deployment) -> Deployment:
    """One in which preparing documents is not charged."""
    return replace(undeployed, prelude=f"{undeployed.prelude}\n{UNCHARGED}", servers=[])


@dataclass
class Furnished:
    """A community with one of everything in it."""

    community: CommunityRow
    committee: OrganisationRow
    home: Any
    people: dict[str, AccountRow]
    apps: dict[str, App]
    ids: dict[str, list[str]] = field(default_factory=dict)
    cursors: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)


async def furnish(neighbourhood: Neighbourhood, name: str, secret: str, document: str) -> Furnished:
    """A community `name` with one of everything; all but its register says `secret`."""
    world = neighbourhood.world
    community = await world.community(f"{name}社区")
    grid = await world.grid(community, f"{name}网格")
    building = await world.building(await world.estate(community, f"{name}小区"), grid, f"{name}楼")
    home = await world.home(building, "1", "101")
    committee = await world.organisation(community, name=f"{secret}居委会")
    shop = await world.organisation(community, OrganisationKind.MERCHANT, f"{secret}面馆")
    people = {
        "admin": await world.officer(committee, Role.ADMIN, name=f"{secret} admin"),
        "resident": await world.resident(home, name=f"{secret} resident"),
        "neighbour": await world.resident(await world.home(building, "1", "102"), name=f"{secret} neighbour"),
        "applicant": await world.account(f"{secret} applicant"),
        "merchant": await world.officer(shop, Role.ADMIN, name=f"{secret} merchant"),
    }
    apps = {role: await neighbourhood.app(account) for role, account in people.items()}
    made = Furnished(community, committee, home, people, apps)

    async def done(by: str, mutation: str, **input: Any) -> dict[str, Any]:
        result = await apps[by].act(mutation, input=input)
        assert result["__typename"].endswith("Payload"), result
        return result

    key = {"idempotencyKey": "furnish"}
    post = await done("resident", POST, communityId=made.id, kind="TALK", body=f"{secret} post", **key)
    post_id = post["postEdge"]["node"]["id"]
    await done("resident", EDIT, postId=post_id, version=1, body=f"{secret} edited")
    await done("neighbour", COMMENT, subjectId=post_id, body=f"{secret} comment", **key)
    await done("neighbour", LIKE, subjectId=post_id, on=True)
    report = {"category": "REPAIR", "title": f"{secret} request", "body": f"{secret} details"}
    await done("resident", REPORT, communityId=made.id, **report, idempotencyKey="report")
    await done(
        "admin",
        PUBLISH,
        organisationId=global_id("Organisation", committee.id),
        category="GENERAL",
        severity="URGENT",
        title=f"{secret} notice",
        body=f"{secret} body",
        audience=[{"placeId": made.id}],
        **key,
    )
    await done(
        "applicant",
        APPLY,
        homeId=global_id("Home", home.id),
        relation="TENANT",
        realName=f"{secret} name",
        documentNumber=document,
        evidence=f"{secret} evidence",
        **key,
    )
    line = f"{name}小区,{name}楼,1,101,90,{secret} owner,P{document},,OWNER"
    csv = f"estate,building,unit,number,area,name,document,phone,relation\n{line}\n"
    committee_id = global_id("Organisation", committee.id)
    await done("admin", IMPORT, organisationId=committee_id, csv=csv, idempotencyKey="import")
    phone = f"1370000{document[-5:-1]}"
    await done("admin", INVITE, organisationId=committee_id, role="OFFICER", phone=phone, idempotencyKey="i")
    residency = await ResidencyRow.get(account_id=people["resident"].id)
    await done(
        "admin",
        PROPOSE_PHONE,
        residencyId=global_id("Residency", residency.id),
        phone=phone,
        reason=f"{secret} reason",
    )

    await vote(made, done, secret)
    await deliberate(made, done, secret)
    await gather(made, done, secret)
    await party_branch.furnish(neighbourhood, made, done, secret)
    await branch_contents.furnish(made, done, secret)
    await serve(made, done, secret, global_id("Organisation", shop.id))
    await hold(made, done, secret)

    found = await apps["resident"].run(CURSOR, community=made.id)
    made.cursors = [found["community"]["posts"]["pageInfo"]["endCursor"]]
    async with apps["resident"].following(EVERYTHING, id=made.id) as stream:
        assert stream.cursor is not None
        made.cursors.append(stream.cursor)
    return made


Doing = Callable[..., Awaitable[dict[str, Any]]]


async def vote(made: Furnished, done: Doing, secret: str) -> None:
    """A motion to the owners, with a ballot on paper and somebody who asks for a proxy."""
    committee = {"organisationId": global_id("Organisation", made.committee.id)}
    rules = {"binding": False, "changesAllowed": True, "proxiesAllowed": True, "noticeHours": 0}
    more = {"name": f"{secret} rules", "baseVersion": 0, "mostExtensions": 0, "extensionHours": 0}
    await done("admin", ADOPT, **committee, **rules, **more)
    draft = {
        "title": f"{secret} motion",
        "body": f"{secret} reasons",
        "items": [{"itemClass": "PROPERTY_MANAGER", "title": f"{secret} item"}],
        "scopeKind": "COMMUNITY",
        "scopeIds": [],
        "opensAt": now().isoformat(),
        "closesAt": (now() + timedelta(days=1)).isoformat(),
    }
    motion = (await done("admin", CREATE, **committee, draft=draft, idempotencyKey="motion"))["motion"]
    await done("admin", ANNOUNCE, motionId=motion["id"], version=motion["version"])
    items = (await made.apps["admin"].run(ITEMS, id=motion["id"]))["node"]["items"]
    home = {"motionId": motion["id"], "homeId": global_id("Home", made.home.id)}
    choices = [{"itemId": item["id"], "choice": "YES"} for item in items]
    paper = {"channel": "PAPER", "photo": f"{secret} photo", "choices": choices}
    await done("admin", ENTER, **home, **paper, idempotencyKey="paper")
    await done("neighbour", PROXY, **home, evidence=f"{secret} evidence", idempotencyKey="proxy")


async def deliberate(made: Furnished, done: Doing, secret: str) -> None:
    """A proposal that became a deliberation, with a statement, a vote, an outcome and its execution."""
    committee = global_id("Organisation", made.committee.id)
    topic = {"title": f"{secret} topic", "body": f"{secret} matter", "idempotencyKey": "topic"}
    proposed = await done("resident", deliberating.PROPOSE, organisationId=committee, **topic)
    key = {"deliberationId": proposed["deliberationEdge"]["node"]["id"]}
    await done("admin", deliberating.ACCEPT, **key, version=1)
    said = await done("resident", deliberating.SAY, **key, body=f"{secret} view", idempotencyKey="view")
    statement = said["statementEdge"]["node"]["id"]
    await done("admin", deliberating.MOVE, **key, phase="STATEMENTS", version=2)
    await done("neighbour", deliberating.VOTE, statementId=statement, choice="AGREE")
    await done("admin", deliberating.MOVE, **key, phase="OUTCOME", version=3)
    outcome = {"body": f"{secret} outcome", "citedStatementIds": [statement], "version": 0}
    await done("admin", deliberating.PUBLISH, **key, **outcome)
    await done("admin", deliberating.ADD, **key, title=f"{secret} work", idempotencyKey="work")


async def gather(made: Furnished, done: Doing, secret: str) -> None:
    """A group that somebody wants to join and somebody is invited into, with a post and a step."""
    about = {"name": f"{secret} group", "description": f"{secret} fun", "access": "APPROVAL"}
    more = {"rules": f"{secret} rules", "questions": [f"{secret} question"], "idempotencyKey": "group"}
    group = (await done("resident", groups.FOUND, communityId=made.id, **about, **more))["group"]["id"]
    await done("neighbour", groups.JOIN, groupId=group, answers=[f"{secret} answer"])
    admin = global_id("Neighbour", neighbour_key(made.community.id, made.people["admin"].id))
    await done("resident", groups.INVITE, groupId=group, neighbourId=admin)
    for archived in (True, False):
        await done("resident", groups.ARCHIVE, groupId=group, archived=archived)
    post = {"communityId": made.id, "groupId": group, "kind": "TALK", "body": f"{secret} group post"}
    await done("resident", POST, **post, idempotencyKey="group post")


async def serve(made: Furnished, done: Doing, secret: str, shop: str) -> None:
    """A licensed merchant with an entry in the directory."""
    key = {"organisationId": shop, "idempotencyKey": "shop"}
    licence = {"kind": "FOOD", "number": "JY13301060123456", "validUntil": "2099-12-31"}
    licence = (await done("merchant", serving.SUBMIT, **key, **licence))["licence"]
    await done("admin", serving.DECIDE, licenceId=licence["id"], version=1, approve=True)
    said = {"category": "NEARBY", "name": f"{secret} noodles", "summary": f"{secret} summary"}
    entry = (await done("merchant", serving.CREATE, **{**key, "idempotencyKey": "e"}, entry=said))["entry"]
    await done("merchant", serving.PUBLISH, entryId=entry["id"], version=1, on=True)
    entry = {"entryId": entry["id"]}
    time = {"startsAt": (now() + timedelta(days=1)).isoformat()}
    time["endsAt"] = (now() + timedelta(days=1, hours=1)).isoformat()
    await done("merchant", serving.ADD_SLOTS, **entry, slots=[time])
    found = await made.apps["resident"].run(serving.SLOTS, entry=entry["entryId"])
    slot = found["node"]["slots"]["edges"][0]["node"]["id"]
    await done("resident", serving.BOOK, slotId=slot, note=f"{secret} note", idempotencyKey="book")
    offer = {"title": f"{secret} offer", "body": f"{secret} terms", "validFrom": now().isoformat()}
    offer["validUntil"] = (now() + timedelta(days=1)).isoformat()
    await done("merchant", serving.OFFER, **entry, offer=offer, idempotencyKey="offer")
    await done("neighbour", serving.RATE, **entry, stars=4, body=f"{secret} opinion")


async def hold(made: Furnished, done: Doing, secret: str) -> None:
    """A series of activities, with a resident who comes to the first, which is elsewhere then."""
    held = await done(
        "admin",
        CREATE_ACTIVITY,
        hostId=global_id("Organisation", made.committee.id),
        kind="CULTURE",
        title=f"{secret} activity",
        place=f"{secret} place",
        startsAt=(now() + timedelta(days=3)).isoformat(),
        endsAt=(now() + timedelta(days=3, hours=1)).isoformat(),
        repeats={"frequency": "WEEKLY", "count": 2},
        idempotencyKey="activity",
    )
    key = {"activityId": held["activity"]["id"]}
    await done("resident", SIGN_UP, **key, idempotencyKey="sign up")
    await done("admin", EDIT_ACTIVITY, **key, version=1, place=f"{secret} hall")


async def ids_of(furnished: Furnished, node_types: Iterable[str]) -> dict[str, list[str]]:
    """An id of each type, by the rows of the tables that are called like the types."""
    ids: dict[str, list[str]] = {}
    accounts = [account.id for account in furnished.people.values()]
    for type_name in node_types:
        table = re.sub(r"(?<!^)([A-Z])", r"_\1", type_name).lower()
        if type_name == "Community":
            keys = [furnished.community.id]
        elif type_name == "Neighbour":
            keys = [neighbour_key(furnished.community.id, account) for account in accounts[:1]]
        elif type_name == "Viewer":
            keys = accounts[:1]
        elif type_name == "Group":
            rows = await execute(
                "SELECT id FROM interest_group WHERE community_id = ?", furnished.community.id
            )
            keys = [UUID(str(row["id"])) for row in rows[:1]]
        elif type_name == "MotionItem":
            rows = await execute(
                "SELECT i.id FROM motion_item i JOIN motion m ON m.id = i.motion_id WHERE m.community_id = ?",
                furnished.community.id,
            )
            keys = [UUID(str(row["id"])) for row in rows[:1]]
        elif type_name in ARTICLES:
            rows = await execute(
                "SELECT id FROM party_article WHERE community_id = ? AND kind = ?",
                furnished.community.id,
                ARTICLES[type_name],
            )
            keys = [UUID(str(row["id"])) for row in rows[:1]]
        elif type_name == "Session":
            rows = await execute("SELECT id FROM session WHERE account_id IN (?)", accounts)
            keys = [UUID(str(row["id"])) for row in rows[:1]]
        else:
            known = {model._meta.db_table: set(model._meta.fields_map) for model in tables()}
            if "community_id" not in known.get(table, ()):
                raise CannotMake(
                    f"{type_name} is a Node without a table `{table}`: say in `ids_of` where its ids are"
                )
            rows = await execute(
                f'SELECT id FROM "{table}" WHERE community_id = ? ORDER BY id', furnished.community.id
            )
            keys = [UUID(str(row["id"])) for row in rows[:1]]
        if not keys:
            raise CannotMake(f"`furnish` makes no {type_name}: have it make one")
        ids[type_name] = [str(global_id(type_name, key)) for key in keys]
    return ids


async def media_of(furnished: Furnished) -> dict[str, list[str]]:
    """An id of each type of upload; they are named in mutations and are no nodes."""
    rows = await execute(
        "SELECT id, kind FROM media WHERE community_id = ? ORDER BY id", furnished.community.id
    )
    named = {"PICTURE": "Picture", "DOCUMENT": "Document"}
    found: dict[str, list[str]] = {}
    for row in rows:
        type_name = named[row["kind"]]
        found.setdefault(type_name, [str(global_id(type_name, UUID(str(row["id"]))))])
    return found


def tables() -> list[Any]:
    return [model for app in (Tortoise.apps or {}).values() for model in app.values()]


Rows = dict[tuple[str, str], dict[str, str]]


async def dump() -> Rows:
    """All rows of the database, as text."""
    found: Rows = {}
    for model in tables():
        table = model._meta.db_table
        key = model._meta.db_pk_column
        for row in await execute(f'SELECT * FROM "{table}"'):
            values = {name: str(value) for name, value in row.items()}
            found[table, values[key]] = values
    return found


UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def mentioned(row: Mapping[str, str]) -> set[str]:
    return {found for value in row.values() for found in UUIDS.findall(value)}


def belongings(rows: Rows, furnished: Furnished) -> set[str]:
    """The ids of all that a community consists of: what names it, its people, or something of these."""
    found = {str(furnished.community.id), *(str(account.id) for account in furnished.people.values())}
    while True:
        more = {row["id"] for (table, _), row in rows.items() if "id" in row and found & mentioned(row)}
        more = {id for id in more if UUIDS.fullmatch(id)}
        if more <= found:
            return found
        found |= more


class Outsider:
    """A verified member of A, `role` there, who guesses; made anew where one call spoils the next."""

    def __init__(self, neighbourhood: Neighbourhood, home: Furnished, role: str, lines: Lines) -> None:
        self.neighbourhood = neighbourhood
        self.home = home
        self.role = role
        self.lines = lines
        self.room = asyncio.Semaphore(AT_ONCE)
        self.renewing = asyncio.Lock()
        self.account: AccountRow
        self.app: App

    async def renew(self) -> "Outsider":
        world = self.neighbourhood.world
        if self.role == "admin":
            self.account = await world.officer(self.home.committee, Role.ADMIN)
        else:
            self.account = await world.resident(self.home.home)
        self.app = await self.neighbourhood.app(self.account)
        return self

    async def send(self, call: Call) -> str:
        """What the server answers, as text. Who has been signed out or slowed down is replaced, once."""
        body = {"query": call.document, "variables": call.variables}
        async with self.room:
            app = self.app
            answer = await self.lines.post(app.server, app.headers, body)
            if '"UNAUTHENTICATED"' in answer or '"RATE_LIMITED"' in answer:
                async with self.renewing:
                    if self.app is app:
                        await self.renew()
                answer = await self.lines.post(self.app.server, self.app.headers, body)
        return answer


@dataclass
class Guard:
    """Knows what is B's, and looks for it in what A's members are sent."""

    keys: set[str]
    looked_at: int = 0

    def check(self, call: Call | str, text: str) -> Any:
        assert SECRET not in text, f"{call} gives away {text}"
        answer = json.loads(text)
        for error in answer.get("errors") or []:
            code = (error.get("extensions") or {}).get("code")
            assert code not in (
                "INTERNAL",
                "GRAPHQL_VALIDATION_FAILED",
                "GRAPHQL_PARSE_FAILED",
                "TOO_COMPLEX",
            ), f"{call}: {error}\n{call.document if isinstance(call, Call) else ''}"
        self.look(call, answer)
        self.looked_at += 1
        return answer

    def look(self, call: Call | str, found: Any) -> None:
        if isinstance(found, list):
            for item in found:
                self.look(call, item)
        elif isinstance(found, dict):
            ours = None
            for name, value in found.items():
                ours = ours or (self.of_b(value) if isinstance(value, str) else None)
                self.look(call, value)
                if isinstance(value, str) and (type_name := self.of_b(value)):
                    assert type_name in REGISTER, f"{call} gives away {name} {value}, a {type_name}"
            if ours and found.get("__typename") == ours:
                told = {name for name, value in found.items() if says_something(value)}
                more = told - REGISTER[ours] - {"__typename"}
                assert not more, f"{call} gives away {more} of a {ours}: {found}"

    def of_b(self, value: str) -> str | None:
        """The type of the object of B's that this is the id of."""
        known = type_and_key(value)
        return known[0] if known and str(known[1]) in self.keys else None


def says_something(value: Any) -> bool:
    if isinstance(value, dict):
        # A connection without edges, a page info, an object that is all empty.
        return any(says_something(inner) for name, inner in value.items() if name != "__typename")
    return bool(value)


async def test_nothing_of_another_community(neighbourhood: Neighbourhood) -> None:
    """A resident and an administrator of A, against everything in B: on PostgreSQL mostly a sample of it."""
    own = await furnish(neighbourhood, "甲", "Own", "11010519491231002X")
    other = await furnish(neighbourhood, "乙", SECRET, "110105194912310038")
    with closing(Lines()) as lines:
        introspected: Any = await own.apps["resident"].run(get_introspection_query(descriptions=False))
        schema = build_client_schema(introspected)
        node_types = Walk(schema, SAMPLES, {}, {}, []).node_types()
        own.ids = await ids_of(own, node_types)
        other.ids = await ids_of(other, node_types)
        await check_real(other)
        own.ids |= await media_of(own)
        other.ids |= await media_of(other)
        # What falls due in B meanwhile is done by the clock, not by a stranger.
        await JobRow.filter(done_at=None).delete()
        before = await dump()
        theirs = belongings(before, other)
        assert not theirs & belongings(before, own)
        guard = Guard(theirs | {str(key) for key in face_keys(other)})
        walking = Walk if dialect() == "sqlite" or SOAK else Sample
        walk = walking(schema, SAMPLES, own.ids, other.ids, other.cursors)
        roles = ("resident", "admin")
        outsiders = [await Outsider(neighbourhood, own, role, lines).renew() for role in roles]
        for outsider in outsiders:
            await walk_queries(walk, outsider, guard)
            await walk_mutations(walk, outsider, guard)
        check_unchanged(before, await dump(), theirs)
        for outsider in outsiders:
            await outsider.renew()
            await walk_subscriptions(walk, outsider, guard, other)
    print(f"{guard.looked_at} answers")


def face_keys(furnished: Furnished) -> list[UUID]:
    return [neighbour_key(furnished.community.id, account.id) for account in furnished.people.values()]


async def check_real(furnished: Furnished) -> None:
    """Whoever may see these objects does: the ids are not refused for being wrong."""
    for type_name, ids in furnished.ids.items():
        for id in ids:
            seen = [(await app.run(NODE, id=id))["node"] for app in furnished.apps.values()]
            assert {"__typename": type_name, "id": id} in seen, f"nobody sees the {type_name} {id}"


async def walk_queries(walk: Walk, outsider: Outsider, guard: Guard) -> None:
    calls = [call for found in walk.root("query").values() for call in found]
    calls += [*walk.others_objects(), *walk.own_objects()]
    for call, text in zip(calls, await asyncio.gather(*map(outsider.send, calls)), strict=True):
        guard.check(call, text)


async def walk_mutations(walk: Walk, outsider: Outsider, guard: Guard) -> None:
    for calls in walk.root("mutation").values():
        # Each mutation by somebody whom no other has signed out, moved out or made known elsewhere.
        await outsider.renew()
        understood: dict[Position, list[str]] = {}
        for call, text in zip(calls, await asyncio.gather(*map(outsider.send, calls)), strict=True):
            answer = guard.check(call, text)
            if call.guessed:
                complaint = misunderstood(answer, call.guessed)
                understood.setdefault(call.guessed, []).append(complaint)
        for position, complaints in understood.items():
            assert "" in complaints, (
                f"No call of {calls[0].what} gets as far as looking for what {'.'.join(position)} names:"
                f" {set(complaints)}. Add to the samples what it needs."
            )


def misunderstood(answer: Any, position: Position) -> str:
    """Why the id at `position` was not even looked for; empty if it was."""
    if not answer.get("data"):
        codes = [(error.get("extensions") or {}).get("code") for error in answer.get("errors") or []]
        return str(answer["errors"]) if "BAD_USER_INPUT" in codes or "INVALID_INPUT" in codes else ""
    (result,) = answer["data"].values()
    if not result or result["__typename"] != "InvalidInput":
        return ""
    about = [problem for problem in result["fields"] if problem["name"] in position]
    if about and not any("the id of" in problem["message"] for problem in about):
        return ""
    return str(result["fields"])


def check_unchanged(before: Rows, after: Rows, theirs: set[str]) -> None:
    """No row that names anything of B's was added, changed or taken away but by the exceptions."""
    refused = 0
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        table = key[0]
        refused += table == "audit_entry" and new is not None and new["refused"] in ("1", "True")
        if not theirs & (mentioned(old or {}) | mentioned(new or {})):
            continue
        if old is None and new is not None:
            if table == "audit_entry" and new["refused"] in ("1", "True"):
                continue
            if table in WRITTEN_FROM_OUTSIDE and new.get("account_id") not in theirs:
                continue
        raise AssertionError(f"{table} of the other community changed from {old} to {new}")
    # The outsider without an office has tried what only offices may, at home.
    assert refused


async def walk_subscriptions(walk: Walk, outsider: Outsider, guard: Guard, other: Furnished) -> None:
    """Refused, every one; or, if a filter that fits nothing is no error, silent."""
    fields = walk.root("subscription")
    watcher = App(outsider.app.server, other.apps["admin"].token)
    async with (
        watched(outsider, fields, guard) as watching,
        watcher.following(EVERYTHING, id=other.id) as theirs,
    ):
        for name, calls in fields.items():
            assert watching.refused.get(name), f"{name} was never refused: {len(calls)} calls"
        # B talks, its own people hear it from the same server, and then A does.
        for by in ("resident", "neighbour"):
            body = f"{SECRET} {outsider.role} {by}"
            made = await other.apps[by].act(
                POST,
                input={"communityId": other.id, "kind": "TALK", "body": body, "idempotencyKey": body},
            )
            assert made["__typename"] == "CreatePostPayload", made
            assert (await theirs.next("PostCreated"))["post"]["body"] == body
        marker = f"marker {outsider.role}"
        await outsider.app.act(
            POST,
            input={"communityId": outsider.home.id, "kind": "TALK", "body": marker, "idempotencyKey": marker},
        )
        await watching.until(marker)


class Watching:
    """Connections full of subscriptions, and everything that came over them."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.wires: list[Wire] = []
        self.refused: dict[str, int] = {}

    async def try_all(self, wire: Wire, name: str, calls: Sequence[Call]) -> None:
        """Subscribe to each; each answers with an error, or opens."""
        self.wires.append(wire)
        asked = {await wire.subscribe(call.document, **call.variables): call for call in calls}
        while asked:
            message = await self.receive(wire)
            if message["type"] not in ("next", "error") or message["id"] not in asked:
                continue
            call = asked.pop(message["id"])
            if message["type"] == "error" or message["payload"].get("errors"):
                self.refused[name] = self.refused.get(name, 0) + 1
            else:
                # Something of one's own is followed, at most with a filter that nothing of B's passes.
                followed = [call.variables[name] for name in re.findall(r"\$(\w+): ID!", call.document)]
                assert not any(map(self.guard.of_b, followed)), f"{call} is open to anyone"

    async def receive(self, wire: Wire) -> dict[str, Any]:
        message = await wire.receive()
        self.guard.check(str(message.get("id")), json.dumps(message, ensure_ascii=False))
        return message

    async def until(self, marker: str) -> None:
        """Read every connection up to the event of its own community."""
        async with asyncio.timeout(GUARD_SECONDS):
            for wire in self.wires:
                while marker not in json.dumps(await self.receive(wire), ensure_ascii=False):
                    pass


@asynccontextmanager
async def watched(
    outsider: Outsider, fields: Mapping[str, Sequence[Call]], guard: Guard
) -> AsyncIterator[Watching]:
    """One connection for each subscription field, with all its calls."""
    watching = Watching(guard)
    async with AsyncExitStack() as stack:
        for name, calls in fields.items():
            wire = await stack.enter_async_context(wired(outsider.app.server, outsider.app.token))
            await watching.try_all(wire, name, calls)
            # This one is no guess, and what ends the reading comes over it.
            await wire.subscribe(EVERYTHING, id=outsider.home.id)
            while (await watching.receive(wire))["type"] != "next":
                pass
        yield watching
