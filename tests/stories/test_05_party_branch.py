"""Story 5, the party branch: what is public reaches the feed, what is for members reaches nobody else."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.base import now
from models.identity import CommunityRow
from models.organisations import OrganisationRow
from models.roles import OrganisationKind, Role
from schema.node import global_id
from tests.client import App, Refused
from tests.neighbourhood import Neighbourhood
from tests.party_scene import enrolled
from tests.stories import branch_contents as branch
from tests.wire import COMMENT, POST

pytestmark = pytest.mark.anyio

CARD = """id body kind card { __typename ... on PartyNews { id title } ... on PartyAffair { id title state }
  ... on Pioneer { id headline } }"""
FEED = f"""subscription Feed($id: ID!) {{ postEvents(communityId: $id) {{ cursor event {{ __typename
  ... on PostCreated {{ post {{ {CARD} }} }} ... on PostDeleted {{ deletedPostId }} }} }} }}"""
EVERYTHING = """subscription Everything($id: ID!) { communityEvents(communityId: $id) { cursor event {
  __typename ... on PostCreated { post { body } } } } }"""
CONTENT = "content { __typename ... on PartyNews { title } ... on PartyAffair { title state takesComments } }"
BRANCH = f"""subscription Branch($id: ID!, $audience: BranchAudience! = MEMBERS) {{
  branchEvents(branchId: $id, audience: $audience) {{ cursor event {{ __typename
    ... on BranchContentPublished {{ {CONTENT} }} ... on BranchContentChanged {{ {CONTENT} }}
    ... on BranchContentWithdrawn {{ withdrawnId }}
    ... on PioneerThanked {{ pioneer {{ thankCount }} }} }} }} }}"""
ARTICLE = """query Article($id: ID!) { node(id: $id) { ... on PartyArticle { title state bodyHtml
  cover { url thumbnailUrl } pictures { url } publishAt post { id commentCount } } } }"""
LISTS = """query Lists($id: ID!) { node(id: $id) { ... on Organisation {
  partyNews(first: 10) { edges { node { title } } } partyAffairs(first: 10) { edges { node { title } } }
  pioneers(first: 10) { edges { node { headline thankCount person { displayName } } } } } } }"""


class Place:
    """A community with a branch: its secretary, a member, and a neighbour who is none."""

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        self.neighbourhood = neighbourhood
        self.community: CommunityRow
        self.branch: OrganisationRow
        self.secretary: App
        self.member: App
        self.neighbour: App
        self.member_id = ""

    async def build(self) -> "Place":
        world, neighbourhood = self.neighbourhood.world, self.neighbourhood
        self.community = await world.community("丰盛社区")
        self.branch = await world.organisation(self.community, OrganisationKind.PARTY_BRANCH)
        self.secretary = await neighbourhood.app(await world.officer(self.branch, Role.ADMIN))
        member = await enrolled(world, self.branch, await world.neighbour(self.community))
        self.member = await neighbourhood.app(member)
        self.neighbour = await neighbourhood.app(await world.neighbour(self.community))
        return self

    @property
    def id(self) -> str:
        return global_id("Community", self.community.id)

    @property
    def branch_id(self) -> str:
        return global_id("Organisation", self.branch.id)

    async def begun(self, mutation: str, **said: Any) -> dict[str, Any]:
        """An article that the secretary has begun."""
        input = {"branchId": self.branch_id, "audience": "PUBLIC", "idempotencyKey": said["title"], **said}
        result = await self.secretary.act(mutation, input=input)
        assert result["__typename"].endswith("Payload"), result
        found: dict[str, Any] = result.get("news") or result.get("affair") or {}
        return found

    async def published(self, article: dict[str, Any], **more: Any) -> dict[str, Any]:
        input = {"articleId": article["id"], "version": article["version"], **more}
        result = await self.secretary.act(branch.PUBLISH, input=input)
        assert result["__typename"] == "PartyArticlePayload", result
        found: dict[str, Any] = result["article"]
        return found

    async def say(self, body: str) -> None:
        """Something that everybody's stream gets, to know that nothing came before it."""
        await self.neighbour.act(
            POST, input={"communityId": self.id, "kind": "TALK", "body": body, "idempotencyKey": body}
        )


async def test_news_reach_everybody_and_go_again(neighbourhood: Neighbourhood) -> None:
    place = await Place(neighbourhood).build()
    cover = await branch.picture(place.secretary, place.id, "red")
    inside = await branch.picture(place.secretary, place.id, "blue")
    news = await place.begun(
        branch.NEWS,
        title="主题党日",
        body=f"周六九点,**活动室**见。\n\n![活动室]({inside['reference']})",
        coverId=cover["id"],
    )
    assert (await place.neighbour.run(ARTICLE, id=news["id"]))["node"] is None
    async with place.neighbour.following(FEED, id=place.id) as feed:
        published = await place.published(news)
        card = (await feed.next("PostCreated"))["post"]
        assert (card["kind"], card["body"]) == ("BRANCH", "主题党日")
        assert card["card"] == {"__typename": "PartyNews", "id": news["id"], "title": "主题党日"}

        # The neighbour's page shows it with its pictures, which need no token.
        seen = (await place.neighbour.run(ARTICLE, id=news["id"]))["node"]
        assert "<strong>活动室</strong>" in seen["bodyHtml"]
        addresses = [seen["cover"]["url"], seen["cover"]["thumbnailUrl"], seen["pictures"][0]["url"]]
        addresses.append(seen["bodyHtml"].split('src="')[1].split('"')[0].replace("&amp;", "&"))
        for address in addresses:
            shown = await branch.fetched(place.neighbour, address)
            assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg"), address
        assert (await branch.fetched(place.neighbour, addresses[0][:-3] + "abc")).status_code == 404

        commented = await place.neighbour.act(
            COMMENT, input={"subjectId": card["id"], "body": "一定到", "idempotencyKey": "c"}
        )
        assert commented["__typename"] == "AddCommentPayload"
        assert (await place.neighbour.run(ARTICLE, id=news["id"]))["node"]["post"]["commentCount"] == 1

        # Two officers: the second has read an old version.
        edit = {"newsId": news["id"], "title": "主题党日改期", "body": "改到周日。", "audience": "PUBLIC"}
        edited = await place.secretary.act(branch.EDIT_NEWS, input={**edit, "version": published["version"]})
        assert len(edited["news"]["revisions"]["edges"]) == 1
        stale = await place.secretary.act(branch.EDIT_NEWS, input={**edit, "version": published["version"]})
        assert (stale["__typename"], stale["current"]["id"]) == ("Conflict", news["id"])
        # What was taken out of it is shown no more.
        assert (await branch.fetched(place.neighbour, addresses[0])).status_code == 404

        gone = await place.secretary.act(
            branch.WITHDRAW,
            input={"articleId": news["id"], "version": edited["news"]["version"], "reason": "时间未定"},
        )
        assert gone["article"]["state"] == "WITHDRAWN"
        assert (await feed.next("PostDeleted"))["deletedPostId"] == card["id"]
    assert (await place.neighbour.run(ARTICLE, id=news["id"]))["node"] is None


async def test_what_is_for_members_reaches_nobody_else(neighbourhood: Neighbourhood) -> None:
    place = await Place(neighbourhood).build()
    picture = await branch.picture(place.secretary, place.id)
    news = await place.begun(
        branch.NEWS, title="支部内部通报", body="仅供党员。", audience="MEMBERS", coverId=picture["id"]
    )
    async with (
        place.member.following(BRANCH, id=place.branch_id) as members,
        place.member.following(FEED, id=place.id) as members_feed,
        place.neighbour.following(EVERYTHING, id=place.id) as everything,
        place.neighbour.following(BRANCH, id=place.branch_id, audience="PUBLIC") as public,
    ):
        published = await place.published(news)
        assert (await members.next("BranchContentPublished"))["content"]["title"] == "支部内部通报"
        assert (await members_feed.next("PostCreated"))["post"]["card"]["title"] == "支部内部通报"
        await place.say("后面的话")
        assert (await everything.next())["post"]["body"] == "后面的话"
        # The upload's own address is good for nothing, and nobody else is given another.
        assert (await branch.fetched(place.neighbour, picture["url"])).status_code == 404
        assert (await place.neighbour.run(ARTICLE, id=news["id"]))["node"] is None
        assert (await place.neighbour.run(LISTS, id=place.branch_id))["node"]["partyNews"]["edges"] == []
        comment = {"subjectId": published["post"]["id"], "body": "?", "idempotencyKey": "c"}
        assert (await place.neighbour.act(COMMENT, input=comment))["__typename"] == "NotFound"
        seen = (await place.member.run(ARTICLE, id=news["id"]))["node"]
        address = seen["cover"]["url"]
        assert (await branch.fetched(place.member, address)).status_code == 200

        version = published["version"]
        await place.secretary.act(
            branch.WITHDRAW, input={"articleId": news["id"], "version": version, "reason": "内容有误"}
        )
        assert (await members.next("BranchContentWithdrawn"))["withdrawnId"] == news["id"]
        assert (await branch.fetched(place.member, address)).status_code == 404
        # What is public comes to both, and nothing came before it.
        await place.published(await place.begun(branch.NEWS, title="公开的新闻", body="大家好。"))
        for stream in (members, public):
            assert (await stream.next())["content"]["title"] == "公开的新闻"


async def test_who_is_no_member_gets_an_error_and_not_silence(neighbourhood: Neighbourhood) -> None:
    place = await Place(neighbourhood).build()
    with pytest.raises(Refused) as refused:
        async with place.neighbour.following(BRANCH, id=place.branch_id):
            pass
    assert refused.value.codes == ["NOT_ALLOWED"]
    world = neighbourhood.world
    elsewhere = await neighbourhood.app(await world.neighbour(await world.community()))
    with pytest.raises(Refused) as refused:
        async with elsewhere.following(BRANCH, id=place.branch_id, audience="PUBLIC"):
            pass
    assert refused.value.codes == ["NOT_FOUND"]


async def test_affairs_appear_at_their_time_and_close_at_their_time(neighbourhood: Neighbourhood) -> None:
    place = await Place(neighbourhood).build()
    appears = now() + timedelta(seconds=3)
    closes = appears + timedelta(seconds=4)
    affair = await place.begun(
        branch.AFFAIR,
        title="上半年党费收支",
        body="收入 1,200 元,支出 800 元。",
        category="DUES",
        commentsUntil=closes.isoformat(),
    )
    async with place.neighbour.following(BRANCH, id=place.branch_id, audience="PUBLIC") as public:
        planned = await place.published(affair, publishAt=appears.isoformat())
        assert planned["state"] == "PLANNED"
        assert now() < appears
        assert (await place.neighbour.run(ARTICLE, id=affair["id"]))["node"] is None

        content = (await public.next("BranchContentPublished"))["content"]
        assert now() >= appears
        assert (content["title"], content["takesComments"]) == ("上半年党费收支", True)
        seen = (await place.neighbour.run(ARTICLE, id=affair["id"]))["node"]
        assert datetime.fromisoformat(seen["publishAt"]) == appears
        comment = {"subjectId": seen["post"]["id"], "body": "请公布明细", "idempotencyKey": "open"}
        assert (await place.neighbour.act(COMMENT, input=comment))["__typename"] == "AddCommentPayload"

        content = (await public.next("BranchContentChanged"))["content"]
        assert now() >= closes
        assert (content["state"], content["takesComments"]) == ("ARCHIVED", False)
        late = await place.neighbour.act(COMMENT, input={**comment, "idempotencyKey": "late"})
        assert (late["__typename"], late["code"]) == ("NotAllowed", "NOT_ALLOWED")
    kept = (await place.neighbour.run(ARTICLE, id=affair["id"]))["node"]
    assert (kept["state"], kept["post"]["commentCount"]) == ("ARCHIVED", 1)


async def test_a_pioneer_agrees_and_is_thanked_live(neighbourhood: Neighbourhood) -> None:
    place = await Place(neighbourhood).build()
    found = await place.secretary.run(
        """query Members($id: ID!) { node(id: $id) { ... on Organisation {
          partyMembers(first: 5) { edges { node { id } } } } } }""",
        id=place.branch_id,
    )
    (member,) = [edge["node"]["id"] for edge in found["node"]["partyMembers"]["edges"]]
    profile = {"headline": "三十年的楼长", "story": "**热心**的人。", "audience": "PUBLIC"}
    proposed = await place.secretary.act(
        branch.PROPOSE, input={"memberId": member, **profile, "idempotencyKey": "p"}
    )
    pioneer = proposed["pioneer"]
    show = {"pioneerId": pioneer["id"], "version": pioneer["version"]}
    assert (await place.secretary.act(branch.SHOW, input=show))["__typename"] == "NotAllowed"
    async with place.neighbour.following(BRANCH, id=place.branch_id, audience="PUBLIC") as public:
        agreed = await place.member.act(branch.CONSENT, input={**show, "on": True})
        assert agreed["pioneer"]["state"] == "AGREED"
        version = agreed["pioneer"]["version"]
        shown = await place.secretary.act(branch.SHOW, input={**show, "version": version})
        assert shown["pioneer"]["state"] == "PUBLISHED"
        assert (await public.next("BranchContentPublished"))["content"] == {"__typename": "Pioneer"}
        thanked = await place.neighbour.act(branch.THANK, input={"pioneerId": pioneer["id"], "on": True})
        assert thanked["pioneer"] == {"thankCount": 1, "viewerHasThanked": True}
        assert (await public.next("PioneerThanked"))["pioneer"] == {"thankCount": 1}
        # At a word from the member it is out of view.
        version = shown["pioneer"]["version"]
        await place.member.act(branch.CONSENT, input={**show, "version": version, "on": False})
        assert (await public.next("BranchContentWithdrawn"))["withdrawnId"] == pioneer["id"]
    assert (await place.neighbour.run(LISTS, id=place.branch_id))["node"]["pioneers"]["edges"] == []
