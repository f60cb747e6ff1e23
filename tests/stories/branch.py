"""A party branch with its members, and what the stories about it say to the server."""

from collections.abc import Awaitable, Callable
from typing import Any

from models.base import now
from models.identity import neighbour_key
from models.roles import OrganisationKind, Role
from schema.node import global_id
from tests.neighbourhood import Neighbourhood

Doing = Callable[..., Awaitable[dict[str, Any]]]

APPLY = """mutation Apply($input: ApplyToPartyBranchInput!) { applyToPartyBranch(input: $input) { __typename
  ... on PartyApplicationPayload { application { id version } } ... on Problem { code message } } }"""
APPROVE = """mutation Approve($input: ApprovePartyApplicationInput!) {
  approvePartyApplication(input: $input) { __typename
  ... on PartyApplicationPayload { application { status } } ... on Problem { code message } } }"""
LESSON = """mutation Lesson($input: CreatePartyLessonInput!) { createPartyLesson(input: $input) { __typename
  ... on PartyLessonPayload { lesson { id version items { id kind revision } } }
  ... on InvalidInput { fields { name message } } ... on Problem { code message } } }"""
PUBLISH = """mutation Publish($input: PartyLessonVersionInput!) { publishPartyLesson(input: $input) {
  __typename ... on PartyLessonPayload { lesson { id state } } ... on Problem { code message } } }"""
FINISH = """mutation Finish($input: FinishPartyLessonItemInput!) { finishPartyLessonItem(input: $input) {
  __typename ... on FinishPartyLessonItemPayload { item { viewerDone } }
  ... on Problem { code message } } }"""
SUBMIT = """mutation Submit($input: SubmitPartyOpinionInput!) { submitPartyOpinion(input: $input) { __typename
  ... on SubmitPartyOpinionPayload { opinionEdge { node { id version number state createdAt } } }
  ... on InvalidInput { fields { name message } } ... on Problem { code message } } }"""
OPINION = "... on PartyOpinionPayload { opinion { id version number state answer answeredAt } }"
ASSIGN = f"""mutation Assign($input: AssignPartyOpinionInput!) {{ assignPartyOpinion(input: $input) {{
  __typename {OPINION} ... on InvalidInput {{ fields {{ name message }} }}
  ... on Problem {{ code message }} }} }}"""
ANSWER = f"""mutation Answer($input: AnswerPartyOpinionInput!) {{ answerPartyOpinion(input: $input) {{
  __typename {OPINION} ... on Problem {{ code message }} }} }}"""
VISIT = """mutation Visit($input: RecordHomeVisitInput!) { recordHomeVisit(input: $input) { __typename
  ... on HomeVisitPayload { visit { id } }
  ... on InvalidInput { fields { name message } } ... on Problem { code message } } }"""
QUIZ = """mutation Quiz($input: SubmitPartyQuizInput!) { submitPartyQuiz(input: $input) { __typename
  ... on SubmitPartyQuizPayload { attempt { score total passed } item { answerKey } }
  ... on Problem { code message } } }"""
EVENTS = """subscription Events($id: ID!) { partyMemberEvents(branchId: $id) { cursor event { __typename
  ... on PartyLessonPublished { lesson { title } } ... on PartyLessonCompleted { completion { number } }
  ... on PartyOpinionAnswered { opinion { number answer state } } } } }"""
MERGED = """subscription Merged($id: ID!) { communityEvents(communityId: $id) { cursor event { __typename
  ... on PartyOpinionAnswered { opinion { number answer state } } } } }"""
CHECK = "query Check($number: String!) { partyCertificate(number: $number) { lesson holder } }"
MINE = "{ viewer { partyMemberships { id version } } }"
RECORD = """query Record($id: ID!) { node(id: $id) { ... on PartyLesson {
  record { finished members membersFinished }
  completions(first: 10) { edges { node { number holder { displayName } } } } } } }"""
LISTS = """query Lists($id: ID!) { node(id: $id) { ... on Organisation {
  partyMembers(first: 10) { edges { node { id } } } partyLessons(first: 10) { edges { node { id } } }
  partyOpinions(first: 10) { edges { node { id } } } homeVisits(first: 10) { edges { node { id } } } } } }"""
END = """mutation End($input: EndPartyMembershipInput!) { endPartyMembership(input: $input) { __typename
  ... on PartyMemberPayload { member { endedAt } } ... on Problem { code message } } }"""


async def furnish(neighbourhood: Neighbourhood, made: Any, done: Doing, secret: str) -> None:
    """A branch that the resident belongs to and the neighbour applies to."""
    world = neighbourhood.world
    branch = await world.organisation(made.community, OrganisationKind.PARTY_BRANCH, f"{secret}党支部")
    made.people["secretary"] = await world.officer(branch, Role.ADMIN, name=f"{secret} secretary")
    made.apps["secretary"] = await neighbourhood.app(made.people["secretary"])
    given = {"branchId": global_id("Organisation", branch.id), "statement": f"{secret} statement"}
    application = await done("resident", APPLY, **given, idempotencyKey="party")
    await done("secretary", APPROVE, applicationId=application["application"]["id"], version=1)
    items = [{"kind": "TEXT", "title": f"{secret} item", "body": f"{secret} text"}]
    draft = {"title": f"{secret} lesson", "audience": "MEMBERS", "items": items}
    branch_id = given["branchId"]
    lesson = (await done("secretary", LESSON, branchId=branch_id, draft=draft, idempotencyKey="lesson"))[
        "lesson"
    ]
    await done("secretary", PUBLISH, lessonId=lesson["id"], version=1)
    await done("resident", FINISH, itemId=lesson["items"][0]["id"])
    opinion = {"topic": "SAFETY", "title": f"{secret} opinion", "body": f"{secret} wish"}
    await done("resident", SUBMIT, branchId=branch_id, **opinion, idempotencyKey="opinion")
    visitor = neighbour_key(made.community.id, made.people["secretary"].id)
    visit = {
        "homeId": global_id("Home", made.home.id),
        "visitedAt": now().isoformat(),
        "visitorIds": [global_id("Neighbour", visitor)],
        "consented": True,
        "notes": f"{secret} notes",
    }
    await done("secretary", VISIT, branchId=branch_id, **visit, idempotencyKey="visit")
    await done("neighbour", APPLY, **given, idempotencyKey="party")
