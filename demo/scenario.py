"""The two scenes that Linli exists for, played against a running server by real clients."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from demo import accounts
from demo.client import Failed, Person, Stream, signed_in
from demo.people import COMMUNITY, OFFICERS, RESIDENT_ELSEWHERE, RESIDENTS
from resolvers.context import Services
from resolvers.errors import NotFound

Event = dict[str, Any]

FEED = """subscription Feed($community: ID!) { postEvents(communityId: $community) { cursor event {
  __typename ... on PostCreated { post { id body author { displayName building } } }
  ... on PostChanged { post { id state } } } } }"""
COMMENTS = """subscription Comments($subject: ID!) { commentEvents(subjectId: $subject) { cursor event {
  __typename ... on CommentAdded { comment { id body author { displayName building } } } } } }"""
COUNTERS = """subscription Counters($post: ID!) { counterEvents(postId: $post) { cursor event {
  __typename ... on CountersChanged { subject { ... on Post { likeCount commentCount } } } } } }"""
NOTICES = """subscription Notices($community: ID!) { noticeEvents(communityId: $community) { cursor event {
  __typename ... on NoticePublished { notice { id title severity } }
  ... on NoticeUpdated { notice { id title endsAt } } } } }"""
REACH = """subscription Reach($notice: ID!) { reachEvents(noticeId: $notice) { cursor event {
  __typename ... on ReachChanged { reach { targeted delivered seen acknowledged } } } } }"""

PLACES = """query Places($name: String!) { communities(name: $name, first: 1) { edges { node { id
  estates(first: 10) { edges { node { name buildings(first: 20) { edges { node { id name } } } } } }
  organisations(first: 10) { edges { node { id kind } } } } } } }"""
POST = """mutation Post($input: CreatePostInput!) { createPost(input: $input) {
  ... on CreatePostPayload { postEdge { node { id } } } ... on Problem { message } } }"""
COMMENT = """mutation Comment($input: AddCommentInput!) { addComment(input: $input) {
  ... on AddCommentPayload { commentEdge { node { id } } } ... on Problem { message } } }"""
LIKE = """mutation Like($input: SetLikeInput!) { setLike(input: $input) {
  __typename ... on Problem { message } } }"""
STATE = """mutation State($input: SetPostStateInput!) { setPostState(input: $input) {
  __typename ... on Problem { message } } }"""
PUBLISH = """mutation Publish($input: PublishNoticeInput!) { publishNotice(input: $input) {
  ... on PublishNoticePayload { notice { id } } ... on Problem { message } } }"""
ACKNOWLEDGE = """mutation Acknowledge($input: AcknowledgeNoticeInput!) { acknowledgeNotice(input: $input) {
  __typename ... on Problem { message } } }"""
BY_BUILDING = """query ByBuilding($notice: ID!) { node(id: $notice) { ... on Notice { reach {
  byBuilding(first: 20) { edges { node { building { name } targeted delivered acknowledged } } } } } } }"""


async def play(services: Services, url: str) -> int:
    """Play both scenes against the server at `url`; prints who received what after how many ms.

    Returns the exit status: 1, with the reason on the screen, if anything did not arrive.
    """
    try:
        async with AsyncExitStack() as stack:
            cast = await Cast.gathered(stack, services, url)
            await driving_licence(cast)
            await power_cut(cast)
    except NotFound:
        print("There is no demo community here: start one with `make run`, with the same LINLI_ variables")
    except (OSError, ExceptionGroup):
        print(f"No server answers at {url}: start it with `make run`")
    except TimeoutError:
        print("Something that must arrive did not arrive in time")
    except Failed as error:
        print(f"The server refused: {error}")
    else:
        return 0
    return 1


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone who plays, and where."""

    people: dict[str, Person]
    community: str
    buildings: dict[tuple[str, str], str]
    committee: str

    @classmethod
    async def gathered(cls, stack: AsyncExitStack, services: Services, url: str) -> "Cast":
        phones = {person.name: person.phone for person in (*OFFICERS, *RESIDENTS, RESIDENT_ELSEWHERE)}
        names = ["三楼的小雨", "晨跑的阿明", "老马", "江边的老秦", "陈晓东", "二楼的吴老师", "豆豆妈"]
        names += ["程序员阿杰", "养猫的小唐"]
        people = {
            name: await stack.enter_async_context(
                signed_in(name, await accounts.token(services, phones[name]), url)
            )
            for name in names
        }
        found = await people["陈晓东"].run(PLACES, name=COMMUNITY)
        (community,) = nodes(found["communities"])
        buildings = {
            (estate["name"], building["name"]): building["id"]
            for estate in nodes(community["estates"])
            for building in nodes(estate["buildings"])
        }
        (committee,) = [
            organisation["id"]
            for organisation in nodes(community["organisations"])
            if organisation["kind"] == "RESIDENTS_COMMITTEE"
        ]
        return cls(people, community["id"], buildings, committee)


def nodes(connection: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in connection["edges"]]


def scene(title: str, told: str) -> None:
    print(f"\n  {title}\n  {told}\n")


async def does(person: Person, what: str, query: str, **fields: Any) -> tuple[float, dict[str, Any]]:
    """Let `person` act; the moment in which the request left, and its result."""
    print(f"  ▸ {person.name} {what}")
    started = time.perf_counter()
    (result,) = (await person.run(query, input=fields)).values()
    return started, result


async def arrives(
    started: float,
    *waits: tuple[str, Stream, str, Callable[[Event], str]],
    wanted: Callable[[Event], bool] = lambda _event: True,
) -> None:
    """Print who got what when, in the order of arrival. Each wait: who, stream, event, what to print."""

    async def one(who: str, stream: Stream, kind: str, told: Callable[[Event], str]) -> tuple[float, str]:
        at, event = await stream.next(kind, wanted)
        return at, f"{who}  {kind}  {told(event)}"

    pending: list[Awaitable[tuple[float, str]]] = [one(*wait) for wait in waits]
    for at, line in sorted(await asyncio.gather(*pending)):
        print(f"      {1000 * (at - started):6.1f} ms  {line}")


def signed(author: dict[str, Any]) -> str:
    return f"{author['displayName']} · {author['building']}" if author["building"] else author["displayName"]


def comment_told(event: dict[str, Any]) -> str:
    return f"“{event['comment']['body']}” — {signed(event['comment']['author'])}"


async def driving_licence(cast: Cast) -> None:
    """A found licence; a neighbour's comment and like appear live on the finder's open post."""
    rain, ming, ma = (cast.people[name] for name in ("三楼的小雨", "晨跑的阿明", "老马"))
    scene("1  The driving licence 驾驶证", "屯乐苑: two neighbours have the feed open.")
    feeds = {p.name: await p.follow("postEvents", FEED, community=cast.community) for p in (ming, ma)}
    body = "在2号楼车棚捡到驾驶证一本，姓马，证号已打码，请失主留言联系。"
    started, result = await does(
        rain, "posts what she found", POST,
        communityId=cast.community, kind="FOUND", body=body, idempotencyKey=str(uuid.uuid4()),
    )  # fmt: skip
    await arrives(
        started,
        *(
            (f"{name}'s feed", feed, "PostCreated", lambda e: f"“{e['post']['body']}”")
            for name, feed in feeds.items()
        ),
    )
    post = result["postEdge"]["node"]["id"]
    comments = await rain.follow("commentEvents", COMMENTS, subject=post)
    counters = await rain.follow("counterEvents", COUNTERS, post=post)
    started, _ = await does(
        ma, "comments", COMMENT,
        subjectId=post, body="是我的！晚上七点到3号楼门口取，太感谢了。", idempotencyKey=str(uuid.uuid4()),
    )  # fmt: skip
    await arrives(
        started,
        (f"{rain.name}'s open post", comments, "CommentAdded", comment_told),
        (
            f"{rain.name}'s open post",
            counters,
            "CountersChanged",
            lambda e: f"{e['subject']['commentCount']} comment",
        ),
    )
    started, _ = await does(ming, "likes it", LIKE, subjectId=post, on=True)
    await arrives(
        started,
        (
            f"{rain.name}'s open post",
            counters,
            "CountersChanged",
            lambda e: f"{e['subject']['likeCount']} like",
        ),
    )
    started, _ = await does(rain, "marks it returned", STATE, postId=post, state="RESOLVED")
    await arrives(started, (f"{ma.name}'s feed", feeds[ma.name], "PostChanged", lambda e: e["post"]["state"]))


async def power_cut(cast: Cast) -> None:
    """An emergency notice to two buildings, comments live in the back office, reach per building."""
    officer = cast.people["陈晓东"]
    told = [cast.people[name] for name in ("二楼的吴老师", "豆豆妈", "程序员阿杰")]
    others = [cast.people[name] for name in ("养猫的小唐", "三楼的小雨")]
    scene(
        "2  The power cut 停电", "丰盛园: residents of buildings 1, 2 and 3 are connected, and one of 屯乐苑."
    )
    phones = {
        p.name: await p.follow("noticeEvents", NOTICES, community=cast.community) for p in (*told, *others)
    }
    where = [{"placeId": cast.buildings["丰盛园", name]} for name in ("2号楼", "3号楼")]
    started, result = await does(
        officer, "sends an emergency notice to buildings 2 and 3", PUBLISH,
        organisationId=cast.committee, category="OUTAGE", severity="EMERGENCY", audience=where,
        title="紧急停电通知", body="配电房故障，2、3号楼今日停电抢修，预计17:00恢复。电梯停运，请勿乘坐。",
        idempotencyKey=str(uuid.uuid4()),
    )  # fmt: skip
    notice = result["notice"]["id"]
    await arrives(
        started,
        *(
            (
                f"{p.name}'s phone",
                phones[p.name],
                "NoticePublished",
                lambda e: f"{e['notice']['severity']} {e['notice']['title']}",
            )
            for p in told
        ),
    )
    desk = await officer.follow("commentEvents", COMMENTS, subject=notice)
    reach = await officer.follow("reachEvents", REACH, notice=notice)
    started, _ = await does(
        told[1], "comments", COMMENT,
        subjectId=notice, body="家里有吸氧的老人，能不能先接个发电机？", idempotencyKey=str(uuid.uuid4()),
    )  # fmt: skip
    await arrives(started, ("back office", desk, "CommentAdded", comment_told))
    for households, person in enumerate(told[:2], 1):
        started, _ = await does(person, "acknowledges", ACKNOWLEDGE, noticeId=notice)
        await arrives(
            started,
            ("back office", reach, "ReachChanged", reach_told),
            wanted=partial(acknowledged_by, households),
        )
    rows = await by_building(officer, notice)
    while sum(row["delivered"] for row in rows) < len(told):
        # What was delivered is counted a tenth of a second later, for all phones together.
        await reach.next("ReachChanged")
        rows = await by_building(officer, notice)
    print("\n  Reach, as the committee sees it")
    for row in rows:
        print(
            f"      {row['building']['name']}  {row['targeted']} households,"
            f" {row['delivered']} delivered, {row['acknowledged']} acknowledged"
        )
    for person in others:
        if not phones[person.name].arrived.empty():
            raise Failed(f"{person.name} got a notice that was not for that building")
    print(f"\n  {' and '.join(person.name for person in others)}, in other buildings, got nothing.\n")


async def by_building(officer: Person, notice: str) -> list[dict[str, Any]]:
    found = await officer.run(BY_BUILDING, notice=notice)
    return nodes(found["node"]["reach"]["byBuilding"])


def acknowledged_by(households: int, event: Event) -> bool:
    return bool(event["reach"]["acknowledged"] == households)


def reach_told(event: dict[str, Any]) -> str:
    reach = event["reach"]
    return f"{reach['acknowledged']} of {reach['targeted']} households acknowledged"
