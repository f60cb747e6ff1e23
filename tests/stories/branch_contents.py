"""What a party branch publishes, as the stories say it to the server."""

from io import BytesIO
from typing import Any

import httpx
from PIL import Image

from models.memberships import MembershipRow
from models.organisations import OrganisationRow
from models.party.members import PartyMemberRow
from models.roles import OrganisationKind
from schema.node import global_id
from tests.client import App
from tests.stories.branch import Doing
from tests.wire import GUARD_SECONDS, http_client


def mutation(name: str, payload: str, selected: str) -> str:
    """The text of a mutation, which has one input called as it is."""
    kind = name[0].upper() + name[1:]
    return (
        f"mutation Act($input: {kind}Input!) {{ {name}(input: $input) {{ __typename"
        f" ... on {payload} {{ {selected} }} ... on Conflict {{ current {{ id }} }}"
        " ... on Problem { code message } ... on InvalidInput { fields { name message } } } }"
    )


ARTICLE = "id version state"
NEWS = mutation("createPartyNews", "PartyNewsPayload", f"news {{ {ARTICLE} cover {{ url thumbnailUrl }} }}")
EDIT_NEWS = mutation(
    "editPartyNews",
    "PartyNewsPayload",
    f"news {{ {ARTICLE} title editedAt revisions(first: 5) {{ edges {{ node {{ body }} }} }} }}",
)
AFFAIR = mutation("createPartyAffair", "PartyAffairPayload", f"affair {{ {ARTICLE} }}")
PUBLISH = mutation(
    "publishPartyArticle", "PartyArticlePayload", f"article {{ {ARTICLE} publishAt post {{ id }} }}"
)
WITHDRAW = mutation("withdrawPartyArticle", "PartyArticlePayload", f"article {{ {ARTICLE} }}")
PROPOSE = mutation("proposePioneer", "PioneerPayload", f"pioneer {{ {ARTICLE} }}")
CONSENT = mutation("consentToPioneer", "PioneerPayload", f"pioneer {{ {ARTICLE} }}")
SHOW = mutation("publishPioneer", "PioneerPayload", f"pioneer {{ {ARTICLE} post {{ id }} }}")
THANK = mutation("thankPioneer", "PioneerPayload", "pioneer { thankCount viewerHasThanked }")
PLEDGE = mutation("addPioneerPledge", "PioneerPledgePayload", "pledge { id state }")
DEED = mutation("addPioneerDeed", "PioneerDeedPayload", "deed { id doneOn picture { url } }")


def jpeg(colour: str = "red") -> bytes:
    out = BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "JPEG")
    return out.getvalue()


async def upload(
    app: App, community_id: str, data: bytes, content_type: str = "image/jpeg", **query: str
) -> httpx.Response:
    """What the server answers to an upload."""
    headers = {**app.headers, "content-type": content_type, "apollo-require-preflight": "1"}
    async with http_client() as http:
        return await http.post(
            f"{app.server.http}/media",
            params={"community": community_id, **query},
            content=data,
            headers=headers,
            timeout=GUARD_SECONDS,
        )


async def picture(app: App, community_id: str, colour: str = "red") -> dict[str, Any]:
    """A picture that was uploaded."""
    answer = await upload(app, community_id, jpeg(colour))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def fetched(app: App, address: str) -> httpx.Response:
    """What is at an address of the server's, asked for as a page asks for a picture."""
    async with http_client() as http:
        return await http.get(f"{app.server.http}{address}", timeout=GUARD_SECONDS)


async def furnish(made: Any, done: Doing, secret: str) -> None:
    """News, an affair and a pioneer for the members of the branch that is there already."""
    branch = await OrganisationRow.get(community_id=made.community.id, kind=OrganisationKind.PARTY_BRANCH)
    secretary = made.apps["secretary"]
    pictures = [await picture(secretary, made.id, colour) for colour in ("red", "green", "blue")]
    document = await upload(secretary, made.id, b"%PDF-1.7\n%%EOF\n", "application/pdf", name=f"{secret}.pdf")
    assert document.status_code == 201, document.text
    of = {"branchId": global_id("Organisation", branch.id), "audience": "MEMBERS"}
    said = {"title": f"{secret} title", "body": f"{secret} text ![x]({pictures[0]['reference']})"}
    news = (await done("secretary", NEWS, **of, **said, idempotencyKey="news"))["news"]
    affair = await done(
        "secretary",
        AFFAIR,
        **of,
        category="DUES",
        title=f"{secret} affair",
        body=f"{secret} figures",
        coverId=pictures[1]["id"],
        commentsUntil="2099-01-01T00:00:00Z",
        idempotencyKey="affair",
    )
    for article in (news, affair["affair"]):
        await done("secretary", PUBLISH, articleId=article["id"], version=article["version"])
    member = await PartyMemberRow.get(branch_id=branch.id)
    assert await MembershipRow.exists(host_id=branch.id, account_id=member.account_id)
    profile = {"headline": f"{secret} pioneer", "story": f"{secret} story", "audience": "MEMBERS"}
    pioneer = (
        await done(
            "secretary",
            PROPOSE,
            memberId=global_id("PartyMember", member.id),
            **profile,
            portraitId=pictures[2]["id"],
            idempotencyKey="pioneer",
        )
    )["pioneer"]
    key = {"pioneerId": pioneer["id"]}
    agreed = await done("resident", CONSENT, **key, version=pioneer["version"], on=True)
    await done("secretary", SHOW, **key, version=agreed["pioneer"]["version"])
    await done("resident", PLEDGE, **key, body=f"{secret} pledge", idempotencyKey="pledge")
    deed = {"body": f"{secret} deed", "doneOn": "2026-01-01"}
    await done("secretary", DEED, **key, **deed, idempotencyKey="deed")
