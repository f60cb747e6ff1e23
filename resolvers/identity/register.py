"""The household register: who is known to live where, imported from the committee's spreadsheet."""

import asyncio
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from models import privacy
from models.base import new_id, now
from models.identity import HouseholdImportRow, Relation
from models.messages import BadValue, Message
from models.powers import Power, has_power
from models.privacy import Keys
from models.storage.rows import Where, columns, execute, select
from models.storage.tables import every, insert
from resolvers import audit
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import InvalidInput
from resolvers.existing import existing
from resolvers.identity.applications import admit_registered
from resolvers.organisations import organisation_for
from resolvers.retries import earlier_result

LARGEST_FILE = 1024 * 1024
LARGEST_AREA = Decimal(100_000)
PROBLEMS_KEPT = 1000
BATCH = 500

# Column → the headers that it goes by, without what stands in brackets behind them.
HEADERS = {
    "estate": ("小区", "小区名称", "estate"),
    "building": ("楼栋", "楼号", "building"),
    "unit": ("单元", "单元号", "unit"),
    "number": ("房号", "室号", "门牌号", "number", "room"),
    "area": ("面积", "建筑面积", "专有面积", "area"),
    "name": ("姓名", "name"),
    "document": ("证件号", "证件号码", "身份证号", "document"),
    "phone": ("手机号", "手机", "电话", "phone"),
    "relation": ("关系", "relation"),
}
OPTIONAL = {"unit", "phone"}

RELATIONS = {
    Relation.OWNER: ("owner", "业主", "产权人", "户主"),
    Relation.CO_OWNER: ("co_owner", "co-owner", "共有人", "共有产权人", "共同业主"),
    Relation.FAMILY: ("family", "家属", "家庭成员", "家人", "亲属"),
    Relation.TENANT: ("tenant", "租户", "租客", "承租人"),
}
RELATION_NAMES = {name: relation for relation, names in RELATIONS.items() for name in names}

Place = tuple[str, str, str, str]


class BadCell(BadValue):
    """A cell that cannot be accepted."""

    def __init__(self, column: str, message: Message) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    document_index: str
    phone_index: str | None
    relation: Relation


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """A good line: a home, and who lives there unless nobody is known to."""

    number: int
    place: Place
    area_cm2: int
    person: Person | None


@dataclass(slots=True)
class RegisterFile:
    """What a file says, as far as it can be accepted."""

    rows_read: int = 0
    lines: list[RegisterLine] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, line: int, column: str | None, message: Message) -> None:
        self.problems.append(
            {"line": line, "column": column, "message": message.id, "values": dict(message.values)}
        )


@dataclass(slots=True)
class NamedPlace:
    id: UUID
    parent: UUID
    name: str


@dataclass(slots=True)
class KnownHome:
    id: UUID
    building_id: UUID
    unit: str
    number: str
    area_cm2: int


@dataclass(slots=True)
class RegisterEntry:
    home_id: UUID
    document_index: str
    phone_index: str | None
    relation: Relation
    real_name_sealed: str


async def import_households(
    ctx: Context, *, organisation_id: UUID, text: str, key: str
) -> HouseholdImportRow:
    """Take the lines of a CSV file into the register, all the good ones or, on a fault, none.

    Estates, buildings and homes that are missing are made; areas and entries are brought to what the file
    says; pending applications that now match are approved. What is in the register and not in the file
    stays. Importing a file again changes nothing. Raises Conflict, NotFound, NotAllowed, and InvalidInput
    for a file that is too large or lacks columns.
    """
    organisation = await organisation_for(ctx, organisation_id)
    if not has_power(ctx.viewer, organisation.id, Power.IMPORT_REGISTER):
        raise await audit.refuse(
            ctx,
            "importHouseholds",
            Message("Only officers of the residents' committee may import the register"),
            organisation,
        )
    keys = ctx.services.keys
    if len(text.encode()) > LARGEST_FILE:
        raise InvalidInput(csv=Message("At most 1 MiB"))
    file = await asyncio.to_thread(read_file, keys, text)
    import_id = new_id()
    async with ctx.unit_of_work() as work:
        # The committee's row lock: two imports at a time go one after the other.
        await execute("UPDATE organisation SET name = name WHERE id = ? RETURNING id", organisation.id)
        body = [organisation.id, text]
        earlier = await earlier_result(ctx, key, "importHouseholds", body, import_id)
        if earlier is None:
            community_id = organisation.community_id
            homes, changed, added = await keep_homes(community_id, file.lines)
            changed |= await keep_entries(ctx, community_id, file.lines, homes)
            approved = await admit_registered(
                work, ctx, Where("p.community_id = ?", (community_id,)), decided_by=ctx.account_id
            )
            await insert(
                HouseholdImportRow(
                    id=import_id,
                    community_id=community_id,
                    organisation_id=organisation.id,
                    account_id=ctx.account_id,
                    rows_read=file.rows_read,
                    imported=len(changed),
                    unchanged=len(file.lines) - len(changed),
                    homes_added=added,
                    approved=approved,
                    problems=file.problems[:PROBLEMS_KEPT],
                )
            )
            await audit.record(
                ctx,
                "importHouseholds",
                community_id=community_id,
                organisation_id=organisation.id,
                subject_id=import_id,
                detail=Message("{count} lines", count=file.rows_read),
            )
    return await existing(HouseholdImportRow, earlier or import_id)


# Reading the file


def read_file(keys: Keys, text: str) -> RegisterFile:
    """Raises InvalidInput for a file without the columns that every line needs."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    file = RegisterFile()
    try:
        names = columns_of(next(reader, []))
        areas: dict[Place, tuple[int, int]] = {}
        people: dict[tuple[Place, str], int] = {}
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            file.rows_read += 1
            try:
                line = read_line(keys, reader.line_num, dict(zip(names, cells, strict=False)))
                check_consistent(line, areas, people)
            except BadCell as error:
                file.refuse(reader.line_num, error.column, error.message)
            else:
                file.lines.append(line)
    except csv.Error:
        raise InvalidInput(csv=Message("Is not CSV from line {line}", line=reader.line_num)) from None
    return file


def columns_of(header: Sequence[str]) -> list[str | None]:
    known = {name: column for column, names in HEADERS.items() for name in names}
    found = [known.get(re.sub(r"\(.*", "", normalised_text(cell)).strip().casefold()) for cell in header]
    missing = [column for column in HEADERS if column not in found and column not in OPTIONAL]
    if missing:
        absent = ", ".join(HEADERS[name][0] for name in missing)
        raise InvalidInput(csv=Message("Columns missing: {columns}", columns=absent))
    if len([name for name in found if name]) != len({name for name in found if name}):
        raise InvalidInput(csv=Message("A column is there twice"))
    return found


def read_line(keys: Keys, number: int, cells: dict[str | None, str]) -> RegisterLine:
    place = (
        read_cell(cells, "estate", 80),
        read_cell(cells, "building", 40),
        re.sub(r"单元$", "", read_cell(cells, "unit", 20, least=0)),
        re.sub(r"室$", "", read_cell(cells, "number", 20)),
    )
    area = area_cm2(read_cell(cells, "area", 20))
    name, document = read_cell(cells, "name", 60, least=0), read_cell(cells, "document", 40, least=0)
    if not name and not document:
        return RegisterLine(number, place, area, None)
    relation = RELATION_NAMES.get(read_cell(cells, "relation", 20).casefold())
    if relation is None:
        raise BadCell("relation", Message("Is none of 业主, 共有人, 家属, 租户"))
    name = read_cell(cells, "name", 60, least=2)
    phone = read_cell(cells, "phone", 40, least=0)
    index = keys.index(privacy.DOCUMENT, normalised("document", privacy.normal_document, document))
    return RegisterLine(
        number,
        place,
        area,
        Person(
            name,
            index,
            keys.index(privacy.PHONE, normalised("phone", privacy.normal_phone, phone)) if phone else None,
            relation,
        ),
    )


def check_consistent(
    line: RegisterLine, areas: dict[Place, tuple[int, int]], people: dict[tuple[Place, str], int]
) -> None:
    """Raises BadCell if an earlier line says something else of the home, or the same of the person."""
    area, first = areas.setdefault(line.place, (line.area_cm2, line.number))
    if area != line.area_cm2:
        raise BadCell("area", Message("Differs from line {first} for the same home", first=first))
    if line.person:
        first = people.setdefault((line.place, line.person.document_index), line.number)
        if first != line.number:
            raise BadCell("document", Message("Is on line {first} for the same home already", first=first))


def read_cell(cells: dict[str | None, str], column: str, most: int, *, least: int = 1) -> str:
    try:
        return check_text(
            column, normalised_text(cells.get(column, "")).replace("\n", " "), most, least=least
        )
    except InvalidInput as error:
        raise BadCell(column, error.fields[column]) from None


def normalised(column: str, normalise: Callable[[str], str], text: str) -> str:
    try:
        return normalise(text)
    except privacy.Misspelt as error:
        raise BadCell(column, error.message) from None


def area_cm2(text: str) -> int:
    """Square metres with at most four decimals, as exact square centimetres. Raises BadCell."""
    wrong = BadCell("area", Message("Is not an area in square metres with at most four decimals"))
    plain = re.sub(r"(m2|平方米|㎡)$", "", text).strip()
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", plain):
        raise wrong
    try:
        area = Decimal(plain)
    except InvalidOperation:
        raise wrong from None
    if not 0 < area <= LARGEST_AREA or area * 10_000 != int(area * 10_000):
        raise wrong
    return int(area * 10_000)


def normalised_text(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


# Keeping it


async def keep_homes(
    community_id: UUID, lines: Sequence[RegisterLine]
) -> tuple[dict[Place, UUID], set[int], int]:
    """Make what is missing of the lines' places, and set the areas.

    Returns the homes' ids, the numbers of the lines that changed something, and how many homes are new.
    """
    estates = await keep_named(
        "estate", "community_id", {(community_id, line.place[0]) for line in lines}, community_id
    )
    places = {line.place: estates[community_id, line.place[0]] for line in lines}
    buildings = await keep_named(
        "building", "estate_id", {(estate, place[1]) for place, estate in places.items()}, community_id
    )
    spots = {(buildings[estate, place[1]], place[2], place[3]): place for place, estate in places.items()}
    known = {
        spots[spot]: home
        for home in await known_homes(set(buildings.values()))
        if (spot := (home.building_id, home.unit, home.number)) in spots
    }
    areas = {line.place: line.area_cm2 for line in lines}
    changed = {place for place, area in areas.items() if place not in known or known[place].area_cm2 != area}
    at = now()
    rows = [
        (new_id(), at, community_id, *spot, areas[place]) for spot, place in spots.items() if place in changed
    ]
    for values, params in statement_batches(rows):
        await execute(
            "INSERT INTO home (id, created_at, community_id, building_id, unit, number, area_cm2)"
            f" VALUES {values} ON CONFLICT (building_id, unit, number)"
            " DO UPDATE SET area_cm2 = excluded.area_cm2",
            *params,
        )
    homes = {
        spots[spot]: home.id
        for home in await known_homes(set(buildings.values()))
        if (spot := (home.building_id, home.unit, home.number)) in spots
    }
    # A home that several lines name was changed by the first of them.
    numbers: dict[Place, int] = {}
    for line in lines:
        numbers.setdefault(line.place, line.number)
    return homes, {numbers[place] for place in changed}, len(homes) - len(known)


async def known_homes(building_ids: set[UUID]) -> list[KnownHome]:
    return await select(
        KnownHome,
        f"SELECT {columns(KnownHome)} FROM home t WHERE t.building_id IN (?)",
        building_ids,
    )


async def keep_named(
    table: str, parent: str, names: Iterable[tuple[UUID, str]], community_id: UUID
) -> dict[tuple[UUID, str], UUID]:
    """The ids of the named rows of `table` below their parents, made where they are missing."""
    wanted = sorted(names, key=str)
    if not wanted:
        return {}
    at = now()
    extra = () if parent == "community_id" else (community_id,)
    rows = [(new_id(), at, *extra, *pair) for pair in wanted]
    listed = f"{'community_id, ' if extra else ''}{parent}, name"
    if table == "estate":
        listed += ", address"
        rows = [(*row, "") for row in rows]
    for values, params in statement_batches(rows):
        await execute(
            f"INSERT INTO {table} (id, created_at, {listed}) VALUES {values}"
            f" ON CONFLICT ({parent}, name) DO NOTHING",
            *params,
        )
    found = await select(
        NamedPlace,
        f"SELECT t.id, t.{parent} AS parent, t.name FROM {table} t WHERE t.{parent} IN (?)",
        {pair[0] for pair in wanted},
    )
    return {(row.parent, row.name): row.id for row in found}


async def keep_entries(
    ctx: Context, community_id: UUID, lines: Sequence[RegisterLine], homes: dict[Place, UUID]
) -> set[int]:
    """Bring the register's entries to what the lines say; returns the numbers of those that changed it."""
    keys = ctx.services.keys
    entries = await select(
        RegisterEntry,
        f"SELECT {columns(RegisterEntry)} FROM household_entry t WHERE t.community_id = ?",
        community_id,
    )
    changed = await asyncio.to_thread(changed_entries, keys, entries, lines, homes)
    at = now()
    rows = [
        (
            new_id(),
            at,
            community_id,
            homes[line.place],
            person.relation,
            sealed,
            person.document_index,
            person.phone_index,
            ctx.account_id,
        )
        for line, person, sealed in changed
    ]
    for values, params in statement_batches(rows):
        await execute(
            "INSERT INTO household_entry (id, created_at, community_id, home_id, relation,"
            f" real_name_sealed, document_index, phone_index, imported_by_id) VALUES {values}"
            " ON CONFLICT (home_id, document_index) DO UPDATE SET relation = excluded.relation,"
            " real_name_sealed = excluded.real_name_sealed, phone_index = excluded.phone_index,"
            " imported_by_id = excluded.imported_by_id",
            *params,
        )
    return {line.number for line, _, _ in changed}


def changed_entries(
    keys: Keys, entries: Sequence[RegisterEntry], lines: Sequence[RegisterLine], homes: dict[Place, UUID]
) -> list[tuple[RegisterLine, Person, str]]:
    """The lines that say something new of a person, with the name sealed."""
    known = {(entry.home_id, entry.document_index): entry for entry in entries}
    changed = []
    for line in lines:
        person = line.person
        if person is None:
            continue
        entry = known.get((homes[line.place], person.document_index))
        if (
            entry is None
            or (entry.relation, entry.phone_index) != (person.relation, person.phone_index)
            or keys.open(privacy.REAL_NAME, entry.real_name_sealed) != person.name
        ):
            changed.append((line, person, keys.seal(privacy.REAL_NAME, person.name)))
    return changed


def statement_batches(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
    """The VALUES and the parameters of as many statements as the rows need."""
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        marks = ", ".join(f"({', '.join('?' for _ in row)})" for row in chunk)
        yield marks, [value for row in chunk for value in row]


async def visible_imports_by_id(ctx: Context, ids: Sequence[UUID]) -> list[HouseholdImportRow | None]:
    """The imports with these ids, for who may import for the same organisation."""
    rows = await every(HouseholdImportRow, Where("t.id IN (?)", (set(ids),)))
    found = {row.id: row for row in rows if has_power(ctx.viewer, row.organisation_id, Power.IMPORT_REGISTER)}
    return [found.get(id) for id in ids]
