"""Lessons of a party branch, as clients see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.party.lessons import (
    PartyLessonAudience,
    PartyLessonCompletionRow,
    PartyLessonItemKind,
    PartyLessonItemRow,
    PartyLessonRow,
    PartyLessonState,
    PartyQuizAttemptRow,
)
from resolvers import identity
from resolvers.identity import around
from resolvers.party.lessons import completing, reading
from schema.connections import Connection, connection
from schema.enums import described
from schema.execution.type_resolution import IsA
from schema.fields import Info, loaded
from schema.identity import Neighbour
from schema.links import Organisation
from schema.node import Node, fetched_by

described(
    PartyLessonState,
    "How far a lesson is.",
    DRAFT="The branch's officers write it; nobody else sees it.",
    PUBLISHED="It can be learnt.",
    WITHDRAWN="It was taken back; certificates stay good.",
)
described(
    PartyLessonAudience,
    "Whom a published lesson is for.",
    MEMBERS="The members of the branch.",
    PUBLIC="Whoever may look at the community; verified residents and officers may finish it.",
)
described(
    PartyLessonItemKind,
    "What an item of a lesson is.",
    TEXT="A text, in `body`.",
    DOCUMENT="A document, at `url`.",
    VIDEO="A video, at `url`, of a host that may show some.",
    QUIZ="Questions with options to choose.",
)


@strawberry.type(description="A question of a quiz. The key to it is not part of it.")
class PartyQuizQuestion:
    number: int = strawberry.field(description="Counts the quiz's questions, from 1.")
    text: str = strawberry.field(description="The question.")
    multiple: bool = strawberry.field(description="Whether several options may be right.")
    options: list[str] = strawberry.field(description="The options; they are chosen by number, from 1.")


@strawberry.type(description="What came of one question in an attempt.")
class PartyQuizResult:
    number: int = strawberry.field(description="Which question, from 1.")
    chosen: list[int] = strawberry.field(description="The options chosen, from 1.")
    right: bool = strawberry.field(description="Whether that is right.")


@strawberry.type(description="An attempt at a quiz, graded on the server; for whoever made it.")
class PartyQuizAttempt:
    number: int = strawberry.field(description="Counts the viewer's attempts, from 1.")
    score: int = strawberry.field(description="How many questions were answered right.")
    total: int = strawberry.field(description="How many questions there were.")
    passed: bool = strawberry.field(description="Whether that is enough.")
    created_at: datetime = strawberry.field(description="When it was made.")

    @strawberry.field(description="What came of each question.")
    @staticmethod
    def results(root: strawberry.Parent[PartyQuizAttemptRow]) -> list[PartyQuizResult]:
        return [
            PartyQuizResult(number=number, chosen=answer["chosen"], right=answer["right"])
            for number, answer in enumerate(root.answers, 1)
        ]

    is_type_of = IsA(PartyQuizAttemptRow)


@fetched_by(reading.items_visible_by_ids)
@strawberry.type(description="An item of a lesson.")
class PartyLessonItem(Node):
    position: int = strawberry.field(description="Its place in the lesson, from 1.")
    kind: PartyLessonItemKind = strawberry.field(description="What it is.")
    title: str = strawberry.field(description="Its title.")
    body: str = strawberry.field(description="In Markdown: the text, or what is to be said of the rest.")
    url: str = strawberry.field(description="Of a document and a video: where it is; else empty.")
    required: bool = strawberry.field(description="Whether the lesson is finished only with it.")
    pass_percent: int = strawberry.field(description="Of a quiz: how much must be right; else 0.")
    attempts: int = strawberry.field(description="Of a quiz: how often one may try; else 0.")
    revision: int = strawberry.field(description="Grows as the questions change; answers name it.")
    lesson: "PartyLesson" = loaded(reading.lessons_around, description="The lesson that it is part of.")
    viewer_done: bool = loaded(
        reading.done_by_viewer, viewer=True, description="Whether the viewer has finished it."
    )
    viewer_attempts: list[PartyQuizAttempt] = loaded(
        reading.attempts_by_viewer, viewer=True, description="The viewer's attempts at the quiz."
    )
    answer_key: list[list[int]] | None = loaded(
        reading.keys_shown,
        viewer=True,
        description="The right options of each question, from 1. For officers who keep the branch's lessons,"
        " and for a viewer who has passed these questions or has no attempt left.",
    )

    @strawberry.field(description="The questions of a quiz.")
    @staticmethod
    def questions(root: strawberry.Parent[PartyLessonItemRow]) -> list[PartyQuizQuestion]:
        return [
            PartyQuizQuestion(
                number=number,
                text=question["text"],
                multiple=question["multiple"],
                options=[option["text"] for option in question["options"]],
            )
            for number, question in enumerate(root.questions, 1)
        ]

    is_type_of = IsA(PartyLessonItemRow)


@fetched_by(completing.visible_by_ids)
@strawberry.type(
    description="That somebody has finished a lesson; for the holder and those who keep the branch's records."
)
class PartyLessonCompletion(Node):
    number: str = strawberry.field(
        description="The certificate's number, with its date."
        " Whoever has it can check it with `partyCertificate(number)`."
    )
    created_at: datetime = strawberry.field(description="When the lesson was finished.")
    name_shown: bool = strawberry.field(description="Whether who checks it sees the holder's display name.")
    lesson: "PartyLesson | None" = loaded(
        completing.lessons_around,
        viewer=True,
        description="The lesson, as far as the viewer may still see it.",
    )
    branch: Organisation = loaded(around.branches, description="The branch that gave it.")
    holder: Neighbour = loaded(identity.neighbours_of, description="Who has finished the lesson.")

    is_type_of = IsA(PartyLessonCompletionRow)


@strawberry.type(description="Who has finished a lesson, in numbers.")
class PartyLessonRecord:
    started: int = strawberry.field(description="How many have finished at least one item.")
    finished: int = strawberry.field(description="How many have finished the lesson.")
    members: int = strawberry.field(description="How many members the branch has now.")
    members_finished: int = strawberry.field(description="How many of these have finished it.")


@fetched_by(reading.visible_by_ids)
@strawberry.type(description="A lesson of a party branch (党员课堂).")
class PartyLesson(Node):
    title: str = strawberry.field(description="Its title.")
    summary: str = strawberry.field(description="What it is about; may be empty.")
    audience: PartyLessonAudience = strawberry.field(description="Whom it is for, once published.")
    state: PartyLessonState = strawberry.field(description="How far it is.")
    created_at: datetime = strawberry.field(description="When it was begun.")
    published_at: datetime | None = strawberry.field(description="When it was published last.")
    version: int = strawberry.field(description="Pass it with a change, so that none overwrites another.")
    branch: Organisation = loaded(around.branches, description="The branch.")
    author: Neighbour = loaded(identity.authors_of, description="The officer who began it.")
    items: list[PartyLessonItem] = loaded(
        reading.items_of, description="Its items, in their order; 50 at most."
    )
    viewer_completion: PartyLessonCompletion | None = loaded(
        completing.own_of, viewer=True, description="The viewer's certificate, once it is finished."
    )
    record: PartyLessonRecord | None = loaded(
        completing.records_of,
        viewer=True,
        description="How many have finished it. For the secretary,"
        " and for members whose function includes it.",
    )
    completions: Connection[PartyLessonCompletion] = connection(
        completing.completions_of,
        viewer=True,
        description="Who has finished it, the latest first: for the same; empty for others.",
    )

    is_type_of = IsA(PartyLessonRow)


def in_state(
    state: Annotated[
        PartyLessonState | None, strawberry.argument(description="Only those that are so far.")
    ] = None,
) -> tuple[PartyLessonState | None]:
    return (state,)


@strawberry.type
class OrganisationPartyLessons:
    """What lessons add to an organisation that is a party branch."""

    party_lessons: Connection[PartyLesson] = connection(
        reading.lessons_of,
        arguments=in_state,
        viewer=True,
        description="The lessons of the party branch that the viewer may see, the newest first.",
    )


@strawberry.type(description="A certificate, as whoever has its number may check it.")
class PartyCertificate:
    number: str = strawberry.field(description="The number.")
    created_at: datetime = strawberry.field(description="When the lesson was finished.")
    lesson: str = strawberry.field(description="The lesson's title.")
    branch: str = strawberry.field(description="The name of the branch that gave it.")
    holder: str | None = loaded(
        completing.names_shown, description="The holder's display name, if the holder shows it."
    )

    is_type_of = IsA(completing.Certificate)


@strawberry.type
class PartyLessonsQuery:
    @strawberry.field(
        graphql_type=PartyCertificate | None,
        description="Check a certificate of a lesson, signed in or not."
        " Null if there is none with this number.",
    )
    async def party_certificate(
        self, info: Info, number: Annotated[str, strawberry.argument(description="As on the certificate.")]
    ) -> completing.Certificate | None:
        return await completing.check(info.context, number)
