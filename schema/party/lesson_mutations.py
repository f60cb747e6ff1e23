"""What can be done with lessons of a party branch."""

import strawberry

from models.party.lessons import (
    PartyLessonAudience,
    PartyLessonCompletionRow,
    PartyLessonItemKind,
    PartyLessonItemRow,
    PartyLessonRow,
    PartyQuizAttemptRow,
)
from resolvers.party.lessons import completing, keeping, learning
from resolvers.party.lessons.drafts import ItemDraft, LessonDraft, Option, Question
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, mutation, payload, shown
from schema.node import key_of
from schema.party.lessons import PartyLesson, PartyLessonCompletion, PartyLessonItem, PartyQuizAttempt
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound


@strawberry.input(description="An option of a question.")
class PartyQuizOptionInput:
    text: str = strawberry.field(description="1 to 200 characters.")
    correct: bool = strawberry.field(description="Whether it is right.")


@strawberry.input(description="A question of a quiz.")
class PartyQuizQuestionInput:
    text: str = strawberry.field(description="1 to 500 characters.")
    options: list[PartyQuizOptionInput] = strawberry.field(description="2 to 8, no two the same.")
    multiple: bool = strawberry.field(
        default=False, description="Whether several may be right, and all of them must be chosen."
    )


@strawberry.input(description="An item of a lesson.")
class PartyLessonItemInput:
    kind: PartyLessonItemKind = strawberry.field(description="What it is; an item keeps its kind.")
    title: str = strawberry.field(description="1 to 80 characters.")
    item_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The item that it replaces: whoever has finished that has finished this."
        " Left out for a new one.",
    )
    body: str = strawberry.field(
        default="", description="In Markdown, up to 20,000 characters; of a text at least one."
    )
    url: str = strawberry.field(
        default="",
        description="Of a document, an https link; of a video, an https link to a host that may show some.",
    )
    required: bool = strawberry.field(
        default=True, description="Whether the lesson is finished only with it."
    )
    pass_percent: int = strawberry.field(
        default=60, description="Of a quiz: how much must be right, 1 to 100."
    )
    attempts: int = strawberry.field(default=3, description="Of a quiz: how often one may try, 1 to 10.")
    questions: list[PartyQuizQuestionInput] = strawberry.field(
        default_factory=list, description="Of a quiz: 1 to 50 questions."
    )

    def draft(self) -> ItemDraft:
        """Raises InvalidInput."""
        return ItemDraft(
            id=key_of("itemId", self.item_id, "PartyLessonItem") if self.item_id else None,
            kind=self.kind,
            title=self.title,
            body=self.body,
            url=self.url,
            required=self.required,
            pass_percent=self.pass_percent,
            attempts=self.attempts,
            questions=tuple(
                Question(
                    question.text,
                    question.multiple,
                    tuple(Option(option.text, option.correct) for option in question.options),
                )
                for question in self.questions
            ),
        )


@strawberry.input(description="What a lesson says.")
class PartyLessonDraftInput:
    title: str = strawberry.field(description="1 to 80 characters.")
    audience: PartyLessonAudience = strawberry.field(description="Whom it is for.")
    items: list[PartyLessonItemInput] = strawberry.field(description="Its items, in their order; at most 50.")
    summary: str = strawberry.field(default="", description="What it is about, up to 500 characters.")

    def draft(self) -> LessonDraft:
        """Raises InvalidInput."""
        items = tuple(item.draft() for item in self.items)
        return LessonDraft(self.title, self.summary, self.audience, items)


@strawberry.input(description="A new lesson.")
class CreatePartyLessonInput:
    branch_id: strawberry.ID = strawberry.field(description="The party branch.")
    draft: PartyLessonDraftInput = strawberry.field(description="What it says.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@strawberry.input(description="What a lesson says from now on.")
class EditPartyLessonInput:
    lesson_id: strawberry.ID = strawberry.field(description="The lesson.")
    version: int = strawberry.field(description="Of the lesson, as it was read.")
    draft: PartyLessonDraftInput = strawberry.field(description="All that it says; what is left out is gone.")


@strawberry.input(description="Which lesson to publish or to withdraw.")
class PartyLessonVersionInput:
    lesson_id: strawberry.ID = strawberry.field(description="The lesson.")
    version: int = strawberry.field(description="Of the lesson, as it was read.")


@payload("The lesson was written, published or withdrawn.")
class PartyLessonPayload:
    lesson: PartyLessonRow = shown(PartyLesson, "As it is now.")


@strawberry.input(description="Which item one has read or seen.")
class FinishPartyLessonItemInput:
    item_id: strawberry.ID = strawberry.field(description="The item, no quiz.")


@payload("The item is finished.")
class FinishPartyLessonItemPayload:
    item: PartyLessonItemRow = shown(PartyLessonItem, "The item.")


@strawberry.input(description="An attempt at a quiz.")
class SubmitPartyQuizInput:
    item_id: strawberry.ID = strawberry.field(description="The quiz.")
    revision: int = strawberry.field(description="Of the quiz, as it was read.")
    answers: list[list[int]] = strawberry.field(
        description="For each question the numbers of the options chosen, from 1."
    )
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)


@payload("The attempt counts.")
class SubmitPartyQuizPayload:
    attempt: PartyQuizAttemptRow = shown(PartyQuizAttempt, "What came of it.")
    item: PartyLessonItemRow = shown(PartyLessonItem, "The quiz.")


@strawberry.input(description="Whether whoever checks the certificate sees the name.")
class ShowPartyCertificateNameInput:
    completion_id: strawberry.ID = strawberry.field(description="The certificate.")
    shown: bool = strawberry.field(description="Whether it is shown.")


@payload("The certificate shows the name, or does not.")
class ShowPartyCertificateNamePayload:
    completion: PartyLessonCompletionRow = shown(PartyLessonCompletion, "As it is now.")


PROBLEMS = (InvalidInput, NotFound, NotAllowed, Conflict)
PartyLessonResult = Result(
    "PartyLessonResult", PartyLessonPayload, *PROBLEMS, description="What came of keeping a lesson."
)


@strawberry.type
class PartyLessonsMutation:
    @PartyLessonResult.mutation()
    async def create_party_lesson(self, info: Info, input: CreatePartyLessonInput) -> PartyLessonPayload:
        """Write a lesson of a party branch. For officers who publish its content."""
        row = await keeping.create(
            info.context,
            branch_id=key_of("branchId", input.branch_id, "Organisation"),
            draft=input.draft.draft(),
            key=input.idempotency_key,
        )
        return PartyLessonPayload(lesson=row)

    @PartyLessonResult.mutation()
    async def edit_party_lesson(self, info: Info, input: EditPartyLessonInput) -> PartyLessonPayload:
        """Replace what a lesson says. For officers who publish the branch's content."""
        row = await keeping.edit(
            info.context,
            lesson_id=key_of("lessonId", input.lesson_id, "PartyLesson"),
            version=input.version,
            draft=input.draft.draft(),
        )
        return PartyLessonPayload(lesson=row)

    @PartyLessonResult.mutation()
    async def publish_party_lesson(self, info: Info, input: PartyLessonVersionInput) -> PartyLessonPayload:
        """Show a lesson to those whom it is for; the members are told. For officers who publish the
        branch's content.
        """
        key = key_of("lessonId", input.lesson_id, "PartyLesson")
        row = await keeping.publish(info.context, lesson_id=key, version=input.version)
        return PartyLessonPayload(lesson=row)

    @PartyLessonResult.mutation()
    async def withdraw_party_lesson(self, info: Info, input: PartyLessonVersionInput) -> PartyLessonPayload:
        """Take a lesson back; certificates stay good. For officers who publish the branch's content."""
        key = key_of("lessonId", input.lesson_id, "PartyLesson")
        row = await keeping.withdraw(info.context, lesson_id=key, version=input.version)
        return PartyLessonPayload(lesson=row)

    @mutation(InvalidInput, NotFound, NotAllowed)
    async def finish_party_lesson_item(
        self, info: Info, input: FinishPartyLessonItemInput
    ) -> FinishPartyLessonItemPayload:
        """Say that one has read or seen an item. With the last required one the lesson is finished."""
        key = key_of("itemId", input.item_id, "PartyLessonItem")
        row = await learning.finish(info.context, item_id=key)
        return FinishPartyLessonItemPayload(item=row)

    @mutation(*PROBLEMS)
    async def submit_party_quiz(self, info: Info, input: SubmitPartyQuizInput) -> SubmitPartyQuizPayload:
        """Try a quiz. It is graded at once; passing it finishes the item."""
        item, attempt = await learning.submit(
            info.context,
            item_id=key_of("itemId", input.item_id, "PartyLessonItem"),
            revision=input.revision,
            answers=input.answers,
            key=input.idempotency_key,
        )
        return SubmitPartyQuizPayload(attempt=attempt, item=item)

    @mutation(InvalidInput, NotFound)
    async def show_party_certificate_name(
        self, info: Info, input: ShowPartyCertificateNameInput
    ) -> ShowPartyCertificateNamePayload:
        """Show one's display name to whoever checks one's certificate, or hide it."""
        key = key_of("completionId", input.completion_id, "PartyLessonCompletion")
        row = await completing.show_name(info.context, completion_id=key, shown=input.shown)
        return ShowPartyCertificateNamePayload(completion=row)
