"""What a lesson says, as somebody writes it, checked."""

import json
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlsplit
from uuid import UUID

from models.messages import Message
from models.party.lessons import PartyLessonAudience, PartyLessonItemKind
from resolvers.checks import check_text
from resolvers.errors import InvalidInput

LONGEST_TITLE = 80
LONGEST_SUMMARY = 500
LONGEST_BODY = 20_000
LONGEST_URL = 500
LONGEST_QUESTION = 500
LONGEST_OPTION = 200
MOST_ITEMS = 50
MOST_QUESTIONS = 50
MOST_OPTIONS = 8
MOST_ATTEMPTS = 10

# Where videos may be: these hosts and what is below them.
VIDEO_HOSTS = (
    "xuexi.cn",
    "12371.cn",
    "dswxyjy.org.cn",
    "cctv.com",
    "cctv.cn",
    "people.com.cn",
    "xinhuanet.com",
    "news.cn",
    "gov.cn",
    "v.qq.com",
    "bilibili.com",
)


@dataclass(frozen=True, slots=True)
class Option:
    text: str
    correct: bool


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    multiple: bool
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """One item. `id` is that of the item which it replaces, None for a new one."""

    kind: PartyLessonItemKind
    title: str
    body: str = ""
    url: str = ""
    required: bool = True
    pass_percent: int = 0
    attempts: int = 0
    questions: tuple[Question, ...] = ()
    id: UUID | None = None

    @property
    def key(self) -> str:
        """The questions with the key to them, as they are kept."""
        return json.dumps([asdict(question) for question in self.questions], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class LessonDraft:
    title: str
    summary: str
    audience: PartyLessonAudience
    items: tuple[ItemDraft, ...]


def checked(draft: LessonDraft) -> LessonDraft:
    """The draft as it is kept. Raises InvalidInput."""
    if len(draft.items) > MOST_ITEMS:
        raise InvalidInput(items=Message("At most {most}", most=MOST_ITEMS))
    return replace(
        draft,
        title=check_text("title", draft.title, LONGEST_TITLE),
        summary=check_text("summary", draft.summary, LONGEST_SUMMARY, least=0),
        items=tuple(checked_item(item) for item in draft.items),
    )


def checked_item(item: ItemDraft) -> ItemDraft:
    """The item with what its kind needs, and nothing else. Raises InvalidInput."""
    kept = ItemDraft(
        kind=item.kind,
        title=check_text("title", item.title, LONGEST_TITLE),
        body=check_text(
            "body", item.body, LONGEST_BODY, least=1 if item.kind is PartyLessonItemKind.TEXT else 0
        ),
        required=item.required,
        id=item.id,
    )
    match item.kind:
        case PartyLessonItemKind.DOCUMENT:
            return replace(kept, url=check_link(item.url))
        case PartyLessonItemKind.VIDEO:
            return replace(kept, url=check_video(item.url))
        case PartyLessonItemKind.QUIZ:
            return replace(
                kept,
                pass_percent=check_range("passPercent", item.pass_percent, 100),
                attempts=check_range("attempts", item.attempts, MOST_ATTEMPTS),
                questions=checked_questions(item.questions),
            )
    return kept


def check_range(field: str, number: int, most: int) -> int:
    if not 1 <= number <= most:
        raise InvalidInput(**{field: Message("Is out of range")})
    return number


def check_link(url: str) -> str:
    """A link that a browser follows to a public host, encrypted. Raises InvalidInput."""
    url = check_text("url", url, LONGEST_URL)
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        odd = parts.port is not None or parts.username is not None or parts.password is not None
    except ValueError as error:
        raise InvalidInput(url=Message("Is not a link")) from error
    host = parts.hostname or ""
    strange = any(character.isspace() or character == "\\" for character in url)
    local = "." not in host or host.rpartition(".")[2].isdigit() or not host.isascii()
    if parts.scheme != "https" or odd or strange or local:
        raise InvalidInput(url=Message("Must be an https link to a public host"))
    return url


def check_video(url: str) -> str:
    """A link to a video of one of the hosts that may show some. Raises InvalidInput."""
    url = check_link(url)
    host = urlsplit(url).hostname or ""
    if not any(host == allowed or host.endswith(f".{allowed}") for allowed in VIDEO_HOSTS):
        raise InvalidInput(url=Message("Videos of this host are not allowed"))
    return url


def checked_questions(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    if not 1 <= len(questions) <= MOST_QUESTIONS:
        raise InvalidInput(questions=Message("Is out of range"))
    return tuple(checked_question(question) for question in questions)


def checked_question(question: Question) -> Question:
    """Raises InvalidInput for options that are too few, twice the same, or without a right answer."""
    if not 2 <= len(question.options) <= MOST_OPTIONS:
        raise InvalidInput(options=Message("Is out of range"))
    options = tuple(
        Option(check_text("options", option.text, LONGEST_OPTION), option.correct)
        for option in question.options
    )
    if len({option.text for option in options}) < len(options):
        raise InvalidInput(options=Message("Holds an option twice"))
    right = sum(option.correct for option in options)
    if not right or (right > 1 and not question.multiple):
        raise InvalidInput(options=Message("A question has one right option, or several where it says so"))
    return Question(check_text("questions", question.text, LONGEST_QUESTION), question.multiple, options)
