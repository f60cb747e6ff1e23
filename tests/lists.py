"""What is behind each list of the schema: how its parent and its rows are made, many at once."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from tortoise import Tortoise, fields
from tortoise.models import Model

from models import privacy
from models.audit import Act, append
from models.base import new_id, now
from models.database import APP
from models.identity import (
    AccountRow,
    BuildingRow,
    CommunityRow,
    EstateRow,
    GridRow,
    HomeRow,
)
from models.organisations import AppointmentRow, OrganisationRow
from models.roles import OrganisationKind, Role
from models.visibility import public_of
from resolvers.motions.tally import STATUTORY_ORDINARY, STATUTORY_QUORUM, STATUTORY_SPECIAL
from schema.node import global_id
from tests.world import World, ids

M = TypeVar("M", bound=Model)
Made = Sequence[Any]
DAY = timedelta(days=1)

numbers = count(1)


async def insert(rows: Sequence[M]) -> Sequence[M]:
    if rows:
        await type(rows[0]).bulk_create(rows, batch_size=100)
    return rows


@dataclass
class Household:
    """Places and a person of their own, so that no row of a list shares with another what it refers to."""

    town: "Town"
    number: int
    estate: EstateRow
    grid: GridRow
    building: BuildingRow
    home: HomeRow
    account: AccountRow
    office: OrganisationRow


class Town:
    """A community in which `asker` lives and administers each of the offices that handle things."""

    def __init__(self, world: World, community: CommunityRow, asker: AccountRow) -> None:
        self.world = world
        self.community = community
        self.asker = asker
        self.households: list[Household] = []
        self.offices: dict[OrganisationKind, OrganisationRow] = {}

    @property
    def home(self) -> Household:
        """The asker's."""
        return self.households[0]

    @property
    def committee(self) -> OrganisationRow:
        return self.offices[OrganisationKind.RESIDENTS_COMMITTEE]

    @property
    def company(self) -> OrganisationRow:
        return self.offices[OrganisationKind.PROPERTY_COMPANY]

    async def some(self, span: range) -> list[Household]:
        """The neighbours numbered so, of whom the first has the number 1: number 0 is the asker's home."""
        await grow([self], span.stop + 1)
        return self.households[span.start + 1 : span.stop + 1]


async def towns(world: World, asker: AccountRow, wanted: int) -> list[Town]:
    """Communities that the asker belongs to, by as few statements as one."""
    made = [
        Town(world, community, asker)
        for community in await insert([CommunityRow(name=f"社区 {next(numbers)}") for _ in range(wanted)])
    ]
    for town in made:
        for kind in (
            OrganisationKind.RESIDENTS_COMMITTEE,
            OrganisationKind.PROPERTY_COMPANY,
            OrganisationKind.OWNERS_COMMITTEE,
        ):
            office = OrganisationRow(community_id=town.community.id, kind=kind, name=kind.value)
            town.offices[kind] = office
    offices = await insert([office for town in made for office in town.offices.values()])
    await insert([appointment(office, asker) for office in offices])
    await grow(made, 1)
    return made


def appointment(office: OrganisationRow, admin: AccountRow) -> AppointmentRow:
    of: dict[str, Any] = {"community_id": office.community_id, "organisation_id": office.id}
    return AppointmentRow(**of, account_id=admin.id, role=Role.ADMIN)


async def grow(made: Sequence[Town], size: int) -> None:
    """See that each town has so many households, the asker's the first."""
    new: list[Household] = []
    for town in made:
        for number in range(len(town.households), size):
            of: dict[str, Any] = {"community_id": town.community.id}
            estate = EstateRow(**of, name=f"小区 {number}")
            grid = GridRow(**of, name=f"网格 {number}")
            building = BuildingRow(**of, estate_id=estate.id, grid_id=grid.id, name=f"{number}号楼")
            home = HomeRow(**of, building_id=building.id, unit="1", number="101", area_cm2=900_000)
            account = stranger(town.world) if number else town.asker
            office = OrganisationRow(**of, kind=OrganisationKind.PROPERTY_COMPANY, name=f"物业 {number}")
            new.append(Household(town, number, estate, grid, building, home, account, office))
            town.households.append(new[-1])
    for what in ("estate", "grid", "building", "home", "office"):
        await insert([getattr(it, what) for it in new])
    await insert([it.account for it in new if it.number])
    await put("residency", new)


def stranger(world: World) -> AccountRow:
    phone = f"+86139{next(numbers):08d}"
    keys = world.services.keys
    return AccountRow(
        phone_index=keys.index(privacy.PHONE, phone),
        phone_sealed=keys.seal(privacy.PHONE, phone),
        real_name_sealed=keys.seal(privacy.REAL_NAME, "张三丰"),
        display_name=f"邻居 {next(numbers)}",
    )


# Rows

PLACES = ("estate_id", "grid_id", "building_id", "home_id")
PEOPLE = ("account_id", "author_id", "reporter_id", "actor_id", "creator_id", "uploader_id")
OFFICES = ("organisation_id", "office_id", "holder_id")


def person(it: Household) -> UUID:
    return it.account.id


def office(it: Household) -> UUID:
    return it.office.id


def number(_it: Household) -> int:
    """One that no other row has."""
    return next(numbers)


def table(name: str) -> Any:
    """The model of a table."""
    models = (Tortoise.apps or {})[APP].values()
    return next(model for model in models if model._meta.db_table == name)


async def put(name: str, by: Sequence[Household], **given: Any) -> Made:
    """A row of a table for each household.

    What is given is one value for all, a list of one for each, or what says it of the household; a row stands
    for its id. A column
    that is not given gets what the household has for it, or anything that fits, if it must have a value; a
    place it gets anyway.
    """
    model = table(name)
    assert given.keys() <= model._meta.fields_map.keys(), (name, given.keys())
    return await insert([model(**values(model._meta.fields_map, it, n, given)) for n, it in enumerate(by)])


def values(columns: Mapping[str, Any], it: Household, n: int, given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, field in columns.items():
        if column in given:
            value = given[column]
            value = value[n] if isinstance(value, list) else value(it) if callable(value) else value
            kind = getattr(field, "enum_type", None)
            found[column] = kind(value) if kind and value else getattr(value, "id", value)
        elif field.required or column in PLACES:
            found[column] = fitting(column, field, it)
    return found


def fitting(name: str, field: Any, it: Household) -> Any:
    if name in PLACES:
        return getattr(it, name.removesuffix("_id")).id
    if name in ("community_id", "scope_id", "wall_id"):
        return it.town.community.id
    if name in PEOPLE or name.endswith("_by_id"):
        return it.account.id
    if name in OFFICES:
        return it.office.id
    if isinstance(field, fields.UUIDField):
        return new_id()
    if kind := getattr(field, "enum_type", None):
        return next(iter(kind))
    if isinstance(field, fields.DatetimeField):
        return now()
    if isinstance(field, fields.DateField):
        return now().date()
    if isinstance(field, fields.BooleanField):
        return False
    return str(next(numbers)) if isinstance(field, fields.CharField | fields.TextField) else 1


Parent = Callable[[Town], Awaitable[UUID]]
Rows = Callable[[Town, UUID, range], Awaitable[object]]
Put = Callable[..., Awaitable[Any]]


def known(which: Callable[[Town], UUID]) -> Parent:
    """A parent that each town has."""

    async def parent(town: Town) -> UUID:
        return which(town)

    return parent


def one(put: Put, parent: Parent | None = None) -> Parent:
    """A parent of its own, below another if one is given: the asker's."""

    async def made(town: Town) -> UUID:
        (key,) = ids(await put([town.home], *([await parent(town)] if parent else [])))
        return key

    return made


def rows_of(name: str, parent: str, **given: Any) -> Rows:
    """Rows that name their parent in the column `parent`."""

    async def rows(town: Town, parent_id: UUID, span: range) -> None:
        await put(name, await town.some(span), **{parent: parent_id}, **given)

    return rows


def alike(put: Put) -> Rows:
    """Rows that do not depend on the parent."""

    async def rows(town: Town, _parent: UUID, span: range) -> None:
        await put(await town.some(span))

    return rows


def below(put: Put) -> Rows:
    """Rows for which `put` takes the parent's id."""

    async def rows(town: Town, parent_id: UUID, span: range) -> None:
        await put(await town.some(span), parent_id)

    return rows


the_community = known(lambda town: town.community.id)
the_asker = known(lambda town: town.asker.id)
the_committee = known(lambda town: town.committee.id)
the_company = known(lambda town: town.company.id)


def asker(it: Household) -> UUID:
    return it.town.asker.id


def committee(it: Household) -> UUID:
    return it.town.committee.id


def company(it: Household) -> UUID:
    return it.town.company.id


def public(it: Household) -> UUID:
    return public_of(it.town.community.id)


def soon(_it: Household) -> datetime:
    return now() + DAY


def lately(_it: Household) -> datetime:
    return now() - DAY


def present(_it: Household) -> datetime:
    return now()


# People and places

an_organisation = one(partial(put, "organisation", kind="MERCHANT"))
an_estate = one(partial(put, "estate"))
a_building = one(partial(put, "building"))
a_home = one(partial(put, "home"))


async def communities(town: Town, _parent: UUID, span: range) -> None:
    made = await insert([CommunityRow(name=f"{town.community.name} 之 {n}") for n in span])
    kind = OrganisationKind.RESIDENTS_COMMITTEE
    offices = await insert([OrganisationRow(community_id=it.id, kind=kind, name="居委会") for it in made])
    await insert([appointment(office, town.asker) for office in offices])


async def put_applications(by: Sequence[Household], account: Any = person) -> None:
    keys = by[0].town.world.services.keys
    sealed = {
        "real_name_sealed": keys.seal(privacy.REAL_NAME, "张三丰"),
        "document_sealed": keys.seal(privacy.DOCUMENT, "11010519491231002X"),
        "evidence_sealed": keys.seal(privacy.EVIDENCE, "房产证"),
    }
    await put("residency_application", by, **sealed, account_id=account)


async def put_phone_changes(by: Sequence[Household]) -> None:
    residencies = await put("residency", by)
    await put(
        "phone_change",
        by,
        residency_id=residencies,
        phone_sealed=lambda it: it.account.phone_sealed,
    )


async def households(town: Town, _community_id: UUID, span: range) -> None:
    await town.some(span)


async def put_invitations(by: Sequence[Household], organisation_id: UUID) -> None:
    accepted = await put("appointment", by, role="OFFICER", grid_id=None)
    await put(
        "office_invitation",
        by,
        organisation_id=organisation_id,
        role="GRID_WORKER",
        phone_index=lambda it: it.account.phone_index,
        phone_sealed=lambda it: it.account.phone_sealed,
        expires_at=soon,
        appointment_id=accepted,
    )


async def acts(town: Town, parent: UUID, span: range) -> None:
    """Entries of the audit log: of the organisation `parent`, or of the committee."""
    await append(
        [
            Act(
                action="createGrid",
                community_id=town.community.id,
                organisation_id=town.committee.id if parent == town.community.id else parent,
                account_id=it.account.id,
                subject_id=it.grid.id,
            )
            for it in await town.some(span)
        ]
    )


# The feed


async def put_posts(by: Sequence[Household], **more: Any) -> Made:
    return await put("post", by, kind="COMPLAINT", **more)


async def put_comments(by: Sequence[Household], subject_id: Any, kind: str = "POST") -> Made:
    return await put("comment", by, subject_kind=kind, subject_id=subject_id, parent_id=subject_id)


a_post = one(put_posts)


a_comment = one(put_comments, a_post)


async def put_discussed_posts(by: Sequence[Household], wall_id: UUID) -> None:
    made = await put_posts(by, wall_id=wall_id)
    await put_comments(by, made)
    await put("revision", by, subject_id=made)


async def put_found_posts(by: Sequence[Household]) -> None:
    made = await put_posts(by)
    await put("search_entry", by, id=made, bigrams="停水")
    await put("search_audience", by, entry_id=made)


async def put_replies(by: Sequence[Household], thread_id: UUID) -> None:
    (thread,) = await table("comment").filter(id=thread_id)
    await put("comment", by, subject_id=thread.subject_id, reply_to_id=thread_id, parent_id=thread_id)


async def put_matches(by: Sequence[Household], post_id: UUID) -> None:
    likeness = {"score": 60, "words": 30, "place": 10, "time": 20, "shared": "[]"}
    await put("post_match", by, post_id=post_id, other_id=await put_posts(by), **likeness)


# Notices


async def put_versions(by: Sequence[Household], **more: Any) -> Made:
    keys = [new_id() for _ in by]
    of = {"id": keys, "root_id": keys, "organisation_id": committee, "starts_at": lately, **more}
    return await put("notice", by, severity="IMPORTANT", **of)


async def put_notices(by: Sequence[Household], **root: UUID) -> Made:
    """Notices to the whole community, each of which took the place of another and has made way for a third.

    Those two were sent to nobody, so that they are in no list.
    """
    before = await put_versions(by, status="SUPERSEDED")
    made = await put_versions(by, supersedes_id=before, **root)
    await put_versions(by, supersedes_id=made)
    await put("notice_audience", by, notice_id=made)
    home = by[0].town.home
    await put("receipt", by, notice_id=made, home_id=home.home.id, building_id=home.building.id)
    await put("building_reach", by, notice_id=made, building_id=home.building.id)
    return made


a_notice = one(put_notices)


async def put_updates(by: Sequence[Household], notice_id: UUID) -> None:
    await put_notices(by, root_id=notice_id)


async def put_round(by: Sequence[Household], notice_id: UUID) -> None:
    """Homes in grids of the asker's."""
    of = {"organisation_id": committee, "account_id": asker, "role": "GRID_WORKER"}
    await put("appointment", by, **of)
    await put("receipt", by, notice_id=notice_id)


VISITED = {"reached_at": present, "reached_how": "DOORSTEP", "reached_by_id": person}


async def notifications(town: Town, account_id: UUID, span: range) -> None:
    by = await town.some(span)
    subjects = await put_comments(by, await a_post(town))
    await put("notification", by, account_id=account_id, subject_id=subjects, actor_id=person)


# Service requests

SECONDS = {
    f"{name}_seconds": 3600 for name in ("accept", "resolve", "remind", "confirm", "confirm_remind", "reopen")
}


async def put_cases(by: Sequence[Household], **more: Any) -> Made:
    kind = {"office_kind": "PROPERTY_COMPANY", "on_board": True}
    of = {name: value for name, value in more.items() if name == "community_id"}
    policies = await put("request_policy", by, **of, **kind, **SECONDS)
    handled = {"office_id": company, "holder_id": company, "offered_to_id": office, "overseer_id": committee}
    return await put(
        "service_request",
        by,
        **{
            "number": number,
            "category": [policy.code for policy in policies],
            "policy_id": policies,
            "state": "IN_PROGRESS",
            **handled,
            "assignee_id": person,
            "accept_by": soon,
            "resolve_by": soon,
            "due_at": soon,
            **more,
        },
    )


async def put_requests(by: Sequence[Household], original_id: UUID | None = None) -> Made:
    """Cases, each made of a post, gone on in another, with a step. The others are of another community."""
    elsewhere = await CommunityRow.create(name=f"别处 {next(numbers)}")
    originals = await put_cases(by, community_id=elsewhere.id, office_id=office, holder_id=office)
    made = await put_cases(by, post_id=await put_posts(by), duplicate_of_id=original_id or originals)
    await put_steps(by, made, ordinal=1)
    return made


async def put_steps(by: Sequence[Household], request_id: Any, **ordinal: Any) -> None:
    """Steps, of which a case has the first from the beginning."""
    await put(
        "request_step",
        by,
        request_id=request_id,
        linked_request_id=request_id,
        action="HAND_OVER",
        from_state="ACCEPTED",
        to_state="HANDED_OVER",
        party="OFFICE",
        actor_id=person,
        office_id=company,
        to_office_id=office,
        assignee_id=person,
        is_public=True,
        **{"ordinal": lambda it: it.number + 1, **ordinal},
    )


a_request = one(put_requests)


# The owners' vote

RULES: dict[str, Any] = {
    "version": number,
    "binding": True,
    "quorum": STATUTORY_QUORUM.content(),
    "ordinary": STATUTORY_ORDINARY.content(),
    "special": STATUTORY_SPECIAL.content(),
    "changes_allowed": True,
    "proxies_allowed": True,
    "notice_hours": 360,
    "most_extensions": 0,
    "extension_hours": 0,
}


async def put_rules(by: Sequence[Household]) -> Made:
    return await put("vote_rules", by, **RULES)


async def put_motions(by: Sequence[Household]) -> Made:
    """Open motions with an item each, in which the asker has voted for one head."""
    made = await put(
        "motion",
        by,
        rules_id=await put_rules(by),
        status="OPEN",
        opens_at=lately,
        closes_at=soon,
        first_closes_at=soon,
        announced_at=lately,
        opened_at=lately,
        heads=1,
    )
    await put("motion_item", by, motion_id=made, item_class="PROPERTY_MANAGER")
    heads = await put_electors([it.town.home for it in by], made)
    await put("elector_voter", by, motion_id=made, elector_id=heads, account_id=asker)
    return made


async def put_electors(by: Sequence[Household], motion_id: Any) -> Made:
    """Heads in conflict, each with a home and two ballots by the asker."""
    heads = await put(
        "elector",
        by,
        motion_id=motion_id,
        number=lambda it: it.number,
        counted=lambda it: 2 * it.number + 1,
        disputed=lambda it: 2 * it.number + 2,
        channel="ONLINE",
    )
    of = {"motion_id": motion_id, "elector_id": heads}
    await put("elector_home", by, **of, number=lambda it: it.number)
    for n in (1, 2):
        await put(
            "box_entry",
            by,
            **of,
            number=[2 * head.number + n for head in heads],
            content='{"choices":["YES"]}',
            channel="ONLINE",
            via="OWNER",
            cast_by_id=asker,
            standing="COUNTED",
        )
    return heads


a_motion = one(put_motions)


# Deliberation


async def put_deliberations(by: Sequence[Household], post_id: UUID | None = None) -> Made:
    """Deliberations that began with a post, each with a map and an outcome that cites a statement."""
    made = await put(
        "deliberation",
        by,
        overseer_id=committee,
        post_id=post_id or await put_posts(by),
        phase="OUTCOME",
        outcome="牵绳。",
        outcome_by_id=person,
        outcome_published_at=present,
        outcome_version=1,
    )
    cited = await put_statements(by, made, number=1)
    await put("outcome_citation", by, deliberation_id=made, statement_id=cited)
    nothing: dict[str, list[int]] = {"points": [], "groups": [], "statements": [], "consensus": []}
    result = json.dumps({"silhouette": 0, "explained": [1, 0], **nothing})
    await put("opinion_analysis", by, deliberation_id=made, result=result)
    return made


async def put_statements(by: Sequence[Household], deliberation_id: Any, **number: Any) -> Made:
    """Statements, of which a deliberation has the first from the beginning."""
    of = {"number": lambda it: it.number + 1, **number}
    return await put("statement", by, deliberation_id=deliberation_id, agree_count=7, vote_count=7, **of)


async def put_items(by: Sequence[Household], deliberation_id: UUID, subject_id: Any) -> Made:
    of = {"deliberation_id": deliberation_id, "organisation_id": office, "subject_id": subject_id}
    return await put("execution_item", by, **of, kind="REQUEST")


async def put_execution(by: Sequence[Household], deliberation_id: UUID) -> None:
    await put_items(by, deliberation_id, await put_requests(by))


async def put_deliberation_steps(by: Sequence[Household], deliberation_id: UUID) -> None:
    of = {"deliberation_id": deliberation_id, "ordinal": lambda it: it.number - 1, "note": ""}
    items = await put_items(by, deliberation_id, lambda _it: new_id())
    await put("deliberation_step", by, **of, action="EXECUTION_ADDED", actor_id=person, item_id=items)


a_deliberation = one(put_deliberations)


# Groups


async def put_groups(by: Sequence[Household]) -> Made:
    """Groups that the asker owns."""
    made = await put("interest_group", by, access="APPROVAL", member_count=1)
    await put("membership", by, host_id=made, account_id=asker, role="OWNER")
    return made


a_group = one(put_groups)


# Local services


async def put_entries(by: Sequence[Household], organisation_id: Any = None) -> Made:
    """Published entries, of the organisation, or of licensed ones."""
    if organisation_id is None:
        await put_licences(by)
    return await put(
        "directory_entry",
        by,
        organisation_id=organisation_id or office,
        scope_id=public,
        needs_licence=organisation_id is None,
        category="NEARBY",
        hours='{"weekly": {"1": [[540, 1020]]}}',
        steps='["下单"]',
        documents="[]",
        links='[["菜单", "https://example.org"]]',
        published_at=present,
    )


async def put_licences(by: Sequence[Household], organisation_id: Any = None) -> Made:
    return await put(
        "merchant_licence",
        by,
        organisation_id=organisation_id or office,
        kind="FOOD",
        number_sealed=by[0].town.world.services.keys.seal(privacy.LICENCE, "JY13301060123456"),
        expires_at=soon,
        state="APPROVED",
    )


an_entry = one(partial(put_entries, organisation_id=company))


a_licence = one(partial(put_licences, organisation_id=company))


async def put_slots(by: Sequence[Household], entry_id: UUID | None = None) -> Made:
    """Times of one service, or each of a service of its own."""
    return await put(
        "appointment_slot",
        by,
        entry_id=entry_id or await put_entries(by),
        starts_at=lambda _it: now() + DAY + next(numbers) * timedelta(minutes=1),
        ends_at=now() + 365 * DAY,
        capacity=2,
        booked=1,
    )


async def put_bookings(by: Sequence[Household], times: Made, **whose: Any) -> Made:
    return await put(
        "booking",
        by,
        slot_id=times,
        entry_id=[slot.entry_id for slot in times],
        starts_at=[slot.starts_at for slot in times],
        held_key=[f"{slot.id}" for slot in times],
        **whose,
    )


async def put_bookings_with(by: Sequence[Household]) -> Made:
    """With the asker's own office, each by somebody else."""
    return await put_bookings(by, await put_slots(by), organisation_id=company)


async def put_booked_slots(by: Sequence[Household], entry_id: UUID | None = None) -> None:
    """Each booked by the asker."""
    await put_bookings(by, await put_slots(by, entry_id), account_id=asker)


a_booking = one(put_bookings_with)


async def put_offers(by: Sequence[Household]) -> None:
    made = await put_entries(by)
    await put("offer", by, entry_id=made, starts_at=lately, ends_at=soon)


# The party branch


async def put_branch(by: Sequence[Household]) -> Made:
    """Party branches that the asker leads."""
    made = await put("organisation", by, kind="PARTY_BRANCH")
    await put("appointment", by, organisation_id=made, account_id=asker, role="ADMIN", grid_id=None)
    return made


a_branch = one(put_branch)


async def put_party_applications(by: Sequence[Household], branch_id: UUID) -> None:
    sealed = by[0].town.world.services.keys.seal(privacy.PARTY, "2009年入党")
    await put("party_application", by, branch_id=branch_id, statement_sealed=sealed)


async def put_pictures(by: Sequence[Household], subject_id: Any) -> Made:
    return await put("media", by, uploader_id=asker, content_type="image/jpeg", subject_id=subject_id)


async def put_cards(by: Sequence[Household], subject_id: Any) -> Made:
    of = {"scope_id": public, "estate_id": None, "kind": "BRANCH"}
    return await put("post", by, **of, card_id=subject_id)


async def put_articles(by: Sequence[Household], branch_id: UUID, kind: str) -> Made:
    """Articles that are out, each with a cover, a card in the feed, and something that it said before."""
    keys = [new_id() for _ in by]
    made = await put(
        "party_article",
        by,
        id=keys,
        scope_id=public,
        branch_id=branch_id,
        kind=kind,
        category="DUES" if kind == "AFFAIR" else None,
        cover_id=await put_pictures(by, keys),
        post_id=await put_cards(by, keys),
        publish_at=present,
        listed_at=present,
    )
    await put("revision", by, subject_kind="ARTICLE", subject_id=made)
    return made


put_news = partial(put_articles, kind="NEWS")
put_affairs = partial(put_articles, kind="AFFAIR")


async def put_unchanged(by: Sequence[Household], branch_id: UUID, kind: str) -> Made:
    """Articles whose history is empty."""
    made = await put_articles(by, branch_id, kind)
    await table("revision").filter(subject_id__in=ids(made)).delete()
    return made


some_news = one(partial(put_unchanged, kind="NEWS"), a_branch)
an_affair = one(partial(put_unchanged, kind="AFFAIR"), a_branch)


async def put_pioneers(by: Sequence[Household], branch_id: UUID) -> Made:
    keys = [new_id() for _ in by]
    return await put(
        "pioneer",
        by,
        id=keys,
        scope_id=public,
        branch_id=branch_id,
        author_id=asker,
        consented_at=present,
        publish_at=present,
        portrait_id=await put_pictures(by, keys),
        post_id=await put_cards(by, keys),
    )


async def put_active_pioneers(by: Sequence[Household], branch_id: UUID) -> None:
    made = await put_pioneers(by, branch_id)
    await put("pioneer_pledge", by, pioneer_id=made)
    await put_deeds(by, made)


a_pioneer = one(put_pioneers, a_branch)


async def put_deeds(by: Sequence[Household], pioneer_id: Any) -> None:
    """Deeds, each with a picture."""
    keys = [new_id() for _ in by]
    await put("pioneer_deed", by, id=keys, pioneer_id=pioneer_id, picture_id=await put_pictures(by, keys))


OPTIONS = [{"text": "是", "correct": True}, {"text": "否", "correct": False}]
QUESTIONS = json.dumps([{"text": "?", "multiple": False, "options": OPTIONS}])


async def put_lessons(by: Sequence[Household], branch_id: UUID) -> Made:
    """Lessons with a quiz that the asker has tried and a certificate."""
    of = {"branch_id": branch_id, "scope_id": branch_id, "state": "PUBLISHED"}
    made = await put("party_lesson", by, **of)
    quiz = {"kind": "QUIZ", "questions": QUESTIONS, "attempts": 1}
    items = await put("party_lesson_item", by, lesson_id=made, **quiz)
    await put("party_lesson_progress", by, account_id=asker, lesson_id=made, item_id=items)
    await put("party_quiz_attempt", by, account_id=asker, item_id=items, answers="[]", score=0)
    await put("party_lesson_completion", by, branch_id=branch_id, lesson_id=made, account_id=asker)
    return made


a_lesson = one(put_lessons, a_branch)


async def put_completions(by: Sequence[Household], lesson_id: UUID) -> None:
    (lesson,) = await table("party_lesson").filter(id=lesson_id)
    await put("party_lesson_completion", by, branch_id=lesson.branch_id, lesson_id=lesson_id)


async def put_opinions(by: Sequence[Household], branch_id: UUID) -> None:
    of = {"branch_id": branch_id, "scope_id": branch_id, "state": "ASSIGNED"}
    made = await put("party_opinion", by, **of, number=lambda it: it.number, owner_id=person)
    by_officers = {"officer_id": person, "owner_id": person}
    await put("party_opinion_step", by, opinion_id=made, action="ASSIGN", **by_officers)


async def put_home_visits(by: Sequence[Household], branch_id: UUID) -> None:
    made = await put("home_visit", by, branch_id=branch_id, request_id=await put_requests(by))
    await put("home_visitor", by, visit_id=made)


# Activities

a_series = one(partial(put, "activity_series", rule="RRULE:FREQ=WEEKLY;COUNT=2"))


async def put_activities(by: Sequence[Household], series_id: UUID | None = None) -> Made:
    """Activities of a series each, or all of one, to which the asker has signed up."""
    series = await put("activity_series", by, rule="RRULE:FREQ=WEEKLY;COUNT=2")
    begins = now() + next(numbers) * DAY
    made = await put(
        "activity",
        by,
        audience="NEIGHBOURS",
        host_id=committee,
        series_id=series_id or series,
        online_url="https://example.org/live",
        starts_at=begins,
        ends_at=begins + timedelta(hours=2),
        sign_up_closes_at=soon,
    )
    await put_sign_ups(by, made, account_id=asker, number=1)
    return made


async def put_sign_ups(by: Sequence[Household], activity_id: Any, **more: Any) -> None:
    """Those who wait, of whom an activity has the first from the beginning."""
    of = {"number": lambda it: it.number + 1, **more}
    await put("activity_sign_up", by, activity_id=activity_id, state="WAITING", **of)


an_activity = one(put_activities)


# The table


@dataclass(frozen=True)
class Listed:
    """How to make what is behind one list, and how to ask for it."""

    parent: Parent
    rows: Rows
    # What the list holds before any row is made.
    already: int = 0
    arguments: Callable[[Town], str] = lambda _town: ""
    # The parent's node, and the way from there, where the parent is no node itself.
    within: tuple[str, ...] = ()
    # One parent a community: the community itself, or an office that there is one of.
    one_a_town: bool = False


def here(town: Town) -> str:
    return f'communityId: "{global_id("Community", town.community.id)}"'


IN_A_NOTICE = ("Notice", "reach")
NOTICE_COMMENTS = below(partial(put_comments, kind="NOTICE"))
DELIBERATION_COMMENTS = below(partial(put_comments, kind="DELIBERATION"))

LISTS: dict[str, Listed] = {
    "Query.communities": Listed(
        the_community, communities, already=1, arguments=lambda town: f'name: "{town.community.name}"'
    ),
    "Viewer.sessions": Listed(the_asker, rows_of("session", "account_id", expires_at=soon)),
    "Viewer.residencies": Listed(the_asker, rows_of("residency", "account_id", until=present), already=1),
    "Viewer.residencyApplications": Listed(the_asker, alike(partial(put_applications, account=asker))),
    "Viewer.activeNotices": Listed(the_asker, alike(put_notices), arguments=here),
    "Viewer.unacknowledgedNotices": Listed(the_asker, alike(put_notices), arguments=here),
    "Viewer.notifications": Listed(the_asker, notifications),
    "Community.estates": Listed(the_community, households, already=1, one_a_town=True),
    "Community.grids": Listed(the_community, households, already=1, one_a_town=True),
    # A household has an office of its own here.
    "Community.organisations": Listed(the_community, households, already=4, one_a_town=True),
    "Community.notices": Listed(the_community, alike(put_notices), one_a_town=True),
    "Community.motions": Listed(the_community, alike(put_motions), one_a_town=True),
    "Community.voteRules": Listed(the_community, alike(put_rules), one_a_town=True),
    "Community.posts": Listed(the_community, below(put_discussed_posts), one_a_town=True),
    "Community.search": Listed(
        the_community, alike(put_found_posts), arguments=lambda _town: 'words: "停水"', one_a_town=True
    ),
    "Community.requests": Listed(the_community, alike(put_requests), one_a_town=True),
    "Community.auditLog": Listed(the_community, acts, one_a_town=True),
    "Estate.buildings": Listed(an_estate, rows_of("building", "estate_id")),
    "Building.homes": Listed(a_building, rows_of("home", "building_id")),
    "Home.residents": Listed(a_home, rows_of("residency", "home_id")),
    "Organisation.members": Listed(
        an_organisation, rows_of("appointment", "organisation_id", role="GRID_WORKER")
    ),
    "Organisation.invitations": Listed(an_organisation, below(put_invitations)),
    "Organisation.auditLog": Listed(an_organisation, acts),
    "Organisation.residencyApplications": Listed(the_committee, alike(put_applications), one_a_town=True),
    "Organisation.phoneChanges": Listed(the_committee, alike(put_phone_changes), one_a_town=True),
    "Organisation.notices": Listed(the_committee, alike(put_notices), one_a_town=True),
    "Organisation.requestQueue": Listed(
        the_company, alike(put_requests), arguments=lambda _town: "bucket: IN_HAND", one_a_town=True
    ),
    "Organisation.partyMembers": Listed(a_branch, rows_of("party_member", "branch_id")),
    "Organisation.partyApplications": Listed(a_branch, below(put_party_applications)),
    "Organisation.partyNews": Listed(a_branch, below(put_news)),
    "Organisation.partyAffairs": Listed(a_branch, below(put_affairs)),
    "Organisation.pioneers": Listed(a_branch, below(put_active_pioneers)),
    "PartyNews.revisions": Listed(some_news, rows_of("revision", "subject_id", subject_kind="ARTICLE")),
    "PartyAffair.revisions": Listed(an_affair, rows_of("revision", "subject_id", subject_kind="ARTICLE")),
    "Pioneer.pledges": Listed(a_pioneer, rows_of("pioneer_pledge", "pioneer_id")),
    "Pioneer.deeds": Listed(a_pioneer, below(put_deeds)),
    "Organisation.partyLessons": Listed(a_branch, below(put_lessons)),
    "Organisation.partyOpinions": Listed(a_branch, below(put_opinions)),
    "Organisation.homeVisits": Listed(a_branch, below(put_home_visits)),
    "PartyLesson.completions": Listed(a_lesson, below(put_completions), already=1),
    "Notice.comments": Listed(a_notice, NOTICE_COMMENTS),
    "Notice.threads": Listed(a_notice, NOTICE_COMMENTS),
    "Notice.history": Listed(a_notice, below(put_updates), already=1),
    "Notice.round": Listed(a_notice, below(put_round)),
    "Reach.byBuilding": Listed(
        a_notice, rows_of("building_reach", "notice_id"), already=1, within=IN_A_NOTICE
    ),
    "Reach.unreached": Listed(a_notice, rows_of("receipt", "notice_id"), already=1, within=IN_A_NOTICE),
    "Reach.visits": Listed(a_notice, rows_of("receipt", "notice_id", **VISITED), within=IN_A_NOTICE),
    "Post.comments": Listed(a_post, below(put_comments)),
    "Post.threads": Listed(a_post, below(put_comments)),
    "Post.matches": Listed(a_post, below(put_matches)),
    "Post.revisions": Listed(a_post, rows_of("revision", "subject_id")),
    "Post.deliberations": Listed(a_post, below(put_deliberations)),
    "Comment.replies": Listed(a_comment, below(put_replies)),
    "ServiceRequest.steps": Listed(a_request, below(put_steps), already=1),
    "ServiceRequest.duplicates": Listed(a_request, below(put_requests)),
    "Motion.roll": Listed(a_motion, below(put_electors), already=1),
    "Motion.paperBallots": Listed(
        a_motion, rows_of("paper_ballot", "motion_id", channel="PAPER", confirmed_by_id=person)
    ),
    "Motion.proxies": Listed(a_motion, rows_of("vote_proxy", "motion_id", evidence_sealed="")),
    "Community.deliberations": Listed(the_community, alike(put_deliberations), one_a_town=True),
    "Deliberation.comments": Listed(a_deliberation, DELIBERATION_COMMENTS),
    "Deliberation.threads": Listed(a_deliberation, DELIBERATION_COMMENTS),
    "Deliberation.statements": Listed(a_deliberation, below(put_statements), already=1),
    "Deliberation.nextStatements": Listed(a_deliberation, below(put_statements), already=1),
    "Deliberation.steps": Listed(a_deliberation, below(put_deliberation_steps)),
    "Deliberation.execution": Listed(a_deliberation, below(put_execution)),
    # The post is there already.
    "Deliberation.timeline": Listed(a_deliberation, below(put_deliberation_steps), already=1),
    "Viewer.groups": Listed(the_asker, alike(put_groups)),
    "Community.groups": Listed(the_community, alike(put_groups), one_a_town=True),
    "Group.posts": Listed(a_group, below(put_discussed_posts)),
    "Group.members": Listed(a_group, rows_of("membership", "host_id", role="MEMBER"), already=1),
    "Group.joinRequests": Listed(a_group, rows_of("join_request", "group_id")),
    "Group.invitations": Listed(a_group, rows_of("group_invitation", "group_id", invited_by_id=asker)),
    "Group.steps": Listed(a_group, rows_of("group_step", "group_id", actor_id=asker, account_id=person)),
    "Community.directory": Listed(the_community, alike(put_entries), one_a_town=True),
    "Community.offers": Listed(the_community, alike(put_offers), one_a_town=True),
    "DirectoryEntry.slots": Listed(an_entry, below(put_booked_slots)),
    "DirectoryEntry.offers": Listed(an_entry, rows_of("offer", "entry_id", starts_at=lately, ends_at=soon)),
    "DirectoryEntry.ratings": Listed(an_entry, rows_of("entry_rating", "entry_id")),
    "Organisation.bookings": Listed(the_company, alike(put_bookings_with), one_a_town=True),
    "Viewer.bookings": Listed(the_asker, alike(put_booked_slots)),
    "Booking.steps": Listed(
        a_booking, rows_of("booking_step", "booking_id", action="CALL_OFF", actor_id=person)
    ),
    "Community.merchantLicences": Listed(the_community, alike(put_licences), one_a_town=True),
    "Organisation.entries": Listed(an_organisation, below(put_entries)),
    "Organisation.licences": Listed(an_organisation, below(put_licences)),
    "MerchantLicence.steps": Listed(
        a_licence,
        rows_of("licence_step", "licence_id", organisation_id=company, action="REMIND", actor_id=person),
    ),
    "Community.activities": Listed(the_community, alike(put_activities), one_a_town=True),
    "Activity.signUps": Listed(an_activity, below(put_sign_ups), already=1),
    "ActivitySeries.occurrences": Listed(a_series, below(put_activities)),
    "Participation.byBuilding": Listed(
        a_motion, rows_of("motion_building", "motion_id", position=number), within=("Motion", "participation")
    ),
}
