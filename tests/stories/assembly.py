"""An owners' assembly for the stories: an estate, its committee, and every act over GraphQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from models.base import now
from models.identity import AccountRow, HomeRow
from models.jobs import JobRow
from models.motions import MotionRow
from schema.node import global_id, type_and_key
from tests.client import App
from tests.clock import Clock
from tests.neighbourhood import Neighbourhood
from tests.voting import Street

OPEN_SECONDS = 15
RESULT = """result { binding total { heads areaCm2 } participating { heads areaCm2 } unsettledConflicts
  quorum { ...T } items { position outcome yes { ...W } no { ...W } abstain { ...W } tests { ...T } }
  channels { channel participating { ...W } items { yes { ...W } no { ...W } abstain { ...W } } } }"""
FRAGMENTS = """fragment W on VoteWeight { heads areaCm2 }
fragment T on VoteTest { measure part whole passed threshold { numerator denominator strict clause } }"""
MOTION = f"""query Motion($id: ID!) {{ node(id: $id) {{ ... on Motion {{ phase version closesAt extensions
  snapshotHash boxHash boxEntries participation {{ total {{ ...W }} cast {{ ...W }} quorum {{ ...T }} }}
  {RESULT} }} }} }} {FRAGMENTS}"""
ITEMS = "query Items($id: ID!) { node(id: $id) { ... on Motion { items { id position } } } }"
ADOPT = """mutation Adopt($input: AdoptVoteRulesInput!) { adoptVoteRules(input: $input) { __typename
  ... on AdoptVoteRulesPayload { rules { version } } ... on Problem { code message } } }"""
CREATE = """mutation Create($input: CreateMotionInput!) { createMotion(input: $input) { __typename
  ... on CreateMotionPayload { motion { id version } } ... on Problem { code message } } }"""
ANNOUNCE = """mutation Announce($input: AnnounceMotionInput!) { announceMotion(input: $input) { __typename
  ... on AnnounceMotionPayload { motion { id phase } } ... on Problem { code message } } }"""
CAST = """mutation Cast($input: CastBallotInput!) { castBallot(input: $input) { __typename
  ... on CastBallotPayload { number hash standing receiptCode } ... on Problem { code message } } }"""
ENTER = """mutation Enter($input: EnterPaperBallotInput!) { enterPaperBallot(input: $input) { __typename
  ... on EnterPaperBallotPayload { paperBallot { id status } } ... on Problem { code message } } }"""
CONFIRM = """mutation Confirm($input: ConfirmPaperBallotInput!) { confirmPaperBallot(input: $input) {
  __typename   ... on ConfirmPaperBallotPayload { standing receiptCode paperBallot { status } }
  ... on Problem { code message } } }"""
SETTLE = """mutation Settle($input: SettleBallotConflictInput!) { settleBallotConflict(input: $input) {
  __typename   ... on Problem { code message } } }"""
RECEIPT = """query Receipt($motion: ID!, $code: String!) { ballotReceipt(motionId: $motion, code: $code) {
  number hash standing choices } }"""
EXPORT = "query Export($id: ID!) { motionExport(motionId: $id) }"
EVENTS = """subscription Events($community: ID!, $motion: ID) {
  motionEvents(communityId: $community, motionId: $motion) { cursor event { __typename
    ... on MotionOpened { motion { id phase } }
    ... on ParticipationChanged { motion { participation { cast { heads areaCm2 } } result { binding } } }
    ... on MotionExtended { motion { closesAt extensions phase } }
    ... on MotionClosed { motion { id phase result { items { outcome } } } } } } }"""


class Poll:
    """One motion, as clients know it."""

    def __init__(self, assembly: "Assembly", id: str, items: list[str], closes_at: datetime) -> None:
        self.assembly = assembly
        self.id = id
        self.items = items
        self.closes_at = closes_at

    def choices(self, *choices: str) -> list[dict[str, str]]:
        return [{"itemId": item, "choice": choice} for item, choice in zip(self.items, choices, strict=True)]

    async def cast(
        self, app: App, *choices: str, home: HomeRow | None = None, key: str = ""
    ) -> dict[str, Any]:
        return await app.act(
            CAST,
            input={
                "motionId": self.id,
                "homeId": global_id("Home", home.id) if home else None,
                "choices": self.choices(*choices),
                "idempotencyKey": key or str(uuid4()),
            },
        )

    async def voted(self, account: AccountRow, *choices: str) -> dict[str, Any]:
        """As `cast`, which must succeed."""
        done = await self.cast(await self.assembly.neighbourhood.app(account), *choices)
        assert done["__typename"] == "CastBallotPayload", done
        return done

    async def enter(self, officer: App, home: HomeRow, channel: str, *choices: str) -> dict[str, Any]:
        return await officer.act(
            ENTER,
            input={
                "motionId": self.id,
                "homeId": global_id("Home", home.id),
                "channel": channel,
                "choices": self.choices(*choices),
                "photo": "sheet 1, photo 3",
                "idempotencyKey": str(uuid4()),
            },
        )

    async def confirm(self, officer: App, entered: dict[str, Any], *choices: str) -> dict[str, Any]:
        return await officer.act(
            CONFIRM,
            input={"paperBallotId": entered["paperBallot"]["id"], "choices": self.choices(*choices)},
        )

    async def now(self, app: App) -> dict[str, Any]:
        found: dict[str, Any] = (await app.run(MOTION, id=self.id))["node"]
        return found

    async def end(self) -> None:
        """Its time is over now, whenever it was to be."""
        _, key = type_and_key(self.id) or (None, None)
        await MotionRow.filter(id=key).update(closes_at=now())
        await JobRow.filter(subject_id=key, done_at=None).update(due_at=now())

    async def closed(self, app: App) -> dict[str, Any]:
        """The result, once the close has come and it is counted."""
        async with asyncio.timeout(60):
            while (found := await self.now(app))["phase"] != "CLOSED":
                assert found["result"] is None
                await asyncio.sleep(0.3)
        result: dict[str, Any] = found["result"]
        return result


class Assembly:
    """An estate of owners with officers, on a running deployment."""

    def __init__(self, neighbourhood: Neighbourhood, street: Street, officers: list[App]) -> None:
        self.neighbourhood = neighbourhood
        self.street = street
        self.officers = officers

    @classmethod
    async def called(cls, neighbourhood: Neighbourhood, street: Street | None = None) -> "Assembly":
        street = street or await Street.built(neighbourhood.world, Clock())
        return cls(neighbourhood, street, [await neighbourhood.app(it) for it in street.officers])

    @property
    def community_id(self) -> str:
        return global_id("Community", self.street.community.id)

    @property
    def organisation_id(self) -> str:
        return global_id("Organisation", self.street.committee.id)

    async def adopt(self, base: int = 0, **more: Any) -> None:
        """Rules of an opinion survey, which needs no 15 days: with the thresholds of the law."""
        done = await self.officers[0].act(
            ADOPT,
            input={
                "organisationId": self.organisation_id,
                "baseVersion": base,
                "name": "意见征询",
                "binding": False,
                "changesAllowed": True,
                "proxiesAllowed": True,
                "noticeHours": 0,
                "mostExtensions": 0,
                "extensionHours": 0,
                **more,
            },
        )
        assert done["__typename"] == "AdoptVoteRulesPayload", done

    async def poll(self, *classes: str, seconds: float = OPEN_SECONDS, **more: Any) -> Poll:
        """A motion that opens now."""
        opens_at = datetime.now(UTC)
        closes_at = opens_at + timedelta(seconds=seconds)
        draft = {
            "title": "选聘物业服务企业",
            "body": "现有合同年底到期。",
            "items": [{"itemClass": it, "title": it} for it in classes or ["PROPERTY_MANAGER"]],
            "scopeKind": "ESTATE",
            "scopeIds": [global_id("Estate", self.street.estate.id)],
            "opensAt": opens_at.isoformat(),
            "closesAt": closes_at.isoformat(),
            **more,
        }
        officer = self.officers[0]
        made = await officer.act(
            CREATE,
            input={
                "organisationId": self.organisation_id,
                "draft": draft,
                "idempotencyKey": str(uuid4()),
            },
        )
        assert made["__typename"] == "CreateMotionPayload", made
        motion = made["motion"]
        done = await officer.act(ANNOUNCE, input={"motionId": motion["id"], "version": motion["version"]})
        assert done["__typename"] == "AnnounceMotionPayload", done
        items = (await officer.run(ITEMS, id=motion["id"]))["node"]["items"]
        return Poll(self, motion["id"], [item["id"] for item in items], closes_at)
