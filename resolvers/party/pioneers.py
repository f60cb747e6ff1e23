"""Showing a member as a pioneer: the branch writes, the member agrees, neighbours thank.

The consent is to a text: a change of it asks again, and takes the profile out of view until then.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.base import new_id, now
from models.media import MediaRow
from models.messages import Message
from models.notifications import NotificationKind
from models.organisations import OrganisationRow
from models.party import pioneers as rules
from models.party.audience import BranchAudience, scope_of
from models.party.members import PartyMemberRow
from models.party.pioneers import NEWEST_PIONEERS, PioneerRow, PioneerThankRow
from models.posts import PostRow
from models.powers import Power
from models.storage.paging import Page, PageArgs
from models.storage.rows import Where, execute, select_ids
from models.storage.tables import by_ids, insert, update
from resolvers import audit, identity, limits, notifications
from resolvers import posts as feed
from resolvers.checks import check_text
from resolvers.context import Context
from resolvers.errors import Conflict, NotAllowed
from resolvers.existing import change_as_read, only
from resolvers.identity import around
from resolvers.markdown import check_markdown, render
from resolvers.masking import mask
from resolvers.media import attaching
from resolvers.paging import pages
from resolvers.party import contents, members
from resolvers.party.articles import LONGEST_BODY, LONGEST_TITLE
from resolvers.party.branches import check_power
from resolvers.retries import earlier_result
from subscriptions.events import Kind, Logged
from subscriptions.work import Work

THANKS_A_MINUTE = 60
CHANGED = Message("The profile has changed meanwhile")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile says, and to whom."""

    headline: str
    story: str
    audience: BranchAudience = BranchAudience.PUBLIC
    portrait_id: UUID | None = None


async def checked(profile: Profile) -> tuple[Profile, str, list[tuple[str, UUID]]]:
    """The profile as it is kept, its HTML, and the uploads that it shows, with the fields that name them."""
    headline = mask(" ".join(check_text("headline", profile.headline, LONGEST_TITLE).split()))
    story = check_markdown("story", profile.story, LONGEST_BODY)
    html, pictures = await asyncio.to_thread(render, "story", story)
    shown = [("story", key) for key in pictures]
    if profile.portrait_id:
        shown.append(("portraitId", profile.portrait_id))
    return Profile(headline, story, profile.audience, profile.portrait_id), html, shown


# What the branch does


async def propose(ctx: Context, *, member_id: UUID, profile: Profile, key: str) -> PioneerRow:
    """Write a profile of a member, who is asked for consent; with a key used before, the one written then.

    Raises InvalidInput, NotFound, NotAllowed (and keeps an officer's attempt), Conflict (the member has one,
    or the key was used for something else).
    """
    account_id = ctx.account_id
    profile, html, shown = await checked(profile)
    member = await members.current_membership(ctx, member_id)
    await check_power(
        ctx,
        member.community_id,
        member.branch_id,
        Power.PUBLISH_PARTY_CONTENT,
        "party.pioneer.propose",
        member.id,
    )
    branch = only(await around.branches(ctx, [member]))
    pioneer_id = new_id()
    async with ctx.unit_of_work() as work:
        earlier = await earlier_result(ctx, key, "proposePioneer", [member_id, profile], pioneer_id)
        if earlier is None:
            await attaching.attach(ctx, community_id=branch.community_id, subject_id=pioneer_id, wanted=shown)
            row = pioneer_of(pioneer_id, account_id, branch, member, profile, html)
            if not await insert(row, "(branch_id, account_id) DO NOTHING"):
                raise Conflict(Message("The member has a profile already"))
            await audit.record(ctx, "party.pioneer.propose", row)
            await ask_for_consent(work, ctx, row)
    return await visible(ctx, earlier or pioneer_id)


def pioneer_of(
    pioneer_id: UUID,
    author_id: UUID,
    branch: OrganisationRow,
    member: PartyMemberRow,
    profile: Profile,
    html: str,
) -> PioneerRow:
    return PioneerRow(
        id=pioneer_id,
        community_id=branch.community_id,
        scope_id=scope_of(profile.audience, branch),
        audience=profile.audience,
        branch_id=branch.id,
        account_id=member.account_id,
        author_id=author_id,
        headline=profile.headline,
        story=profile.story,
        html=html,
        portrait_id=profile.portrait_id,
    )


async def ask_for_consent(work: Work, ctx: Context, row: PioneerRow) -> None:
    """Tell the member that there is a text to agree to."""
    await notifications.notify(
        work, ctx, NotificationKind.PIONEER, [row.account_id], row, actor_id=row.author_id
    )


async def edit(ctx: Context, *, pioneer_id: UUID, version: int, profile: Profile) -> PioneerRow:
    """Say something else, to which the member has to agree anew; until then it is out of view.

    Raises InvalidInput, NotFound, NotAllowed (and keeps the attempt), Conflict.
    """
    profile, html, shown = await checked(profile)
    row = await editable(ctx, pioneer_id, "party.pioneer.edit")
    branch = only(await identity.organisations_by_id(ctx, [row.branch_id]))
    async with ctx.unit_of_work() as work:
        await change_as_read(
            row,
            version,
            CHANGED,
            headline=profile.headline,
            story=profile.story,
            html=html,
            portrait_id=profile.portrait_id,
            audience=profile.audience,
            scope_id=scope_of(profile.audience, branch),
            consented_at=None,
        )
        await attaching.attach(ctx, community_id=row.community_id, subject_id=row.id, wanted=shown)
        await contents.take_out(work, row)
        await audit.record(ctx, "party.pioneer.edit", row)
        await ask_for_consent(work, ctx, row)
    return await visible(ctx, pioneer_id)


async def publish(ctx: Context, *, pioneer_id: UUID, version: int) -> PioneerRow:
    """Show a profile that the member has agreed to. Raises NotFound, NotAllowed, Conflict."""
    row = await editable(ctx, pioneer_id, "party.pioneer.publish")
    if row.consented_at is None:
        raise NotAllowed(Message("The member has not agreed to this text"))
    if row.publish_at is not None:
        return row
    async with ctx.unit_of_work() as work:
        agreed = Where("t.consented_at IS NOT NULL AND t.publish_at IS NULL")
        await change_as_read(row, version, CHANGED, agreed, publish_at=now())
        post_id = await contents.put_up(work, row)
        await update(PioneerRow, row.id, post_id=post_id)
        work.record(contents.event(Kind.BRANCH_PUBLISHED, row))
        await audit.record(ctx, "party.pioneer.publish", row)
    return await visible(ctx, pioneer_id)


async def take_down(ctx: Context, *, pioneer_id: UUID, version: int) -> PioneerRow:
    """Take a profile out of view; it may be published again. Raises NotFound, NotAllowed, Conflict."""
    row = await editable(ctx, pioneer_id, "party.pioneer.take_down")
    async with ctx.unit_of_work() as work:
        await change_as_read(row, version, CHANGED, publish_at=None, post_id=None)
        await contents.take_out(work, row)
        await audit.record(ctx, "party.pioneer.take_down", row)
    return await visible(ctx, pioneer_id)


# What the member and the neighbours do


async def consent(ctx: Context, *, pioneer_id: UUID, version: int, on: bool) -> PioneerRow:
    """Agree to the text of this version, or no longer, which takes it out of view. For the member only.

    To say what is so already changes nothing. Raises NotFound, NotAllowed, Conflict (the text has changed).
    """
    _ = ctx.account_id
    row = await visible(ctx, pioneer_id)
    if not rules.is_member_shown(ctx.viewer, row):
        raise NotAllowed(Message("Only the member whom the profile shows may agree to it"))
    if on == (row.consented_at is not None):
        return row
    async with ctx.unit_of_work() as work:
        await change_as_read(row, version, CHANGED, consented_at=now() if on else None)
        if not on:
            await contents.take_out(work, row)
    return await visible(ctx, pioneer_id)


async def thank(ctx: Context, *, pioneer_id: UUID, on: bool) -> PioneerRow:
    """Thank a pioneer, or take that back. To ask for what is so already changes nothing.

    Raises NotFound, NotAllowed (no member of the community, or oneself), RateLimited.
    """
    account_id = ctx.account_id
    row = await visible(ctx, pioneer_id)
    if not rules.can_thank(ctx.viewer, row):
        raise NotAllowed(
            Message("Only a pioneer with a published profile can be thanked, and nobody thanks themselves")
        )
    async with ctx.unit_of_work() as work:
        await limits.check_rate(ctx, "thankPioneer", THANKS_A_MINUTE, 60)
        if on:
            changed = await insert(
                PioneerThankRow(pioneer_id=pioneer_id, account_id=account_id),
                "(pioneer_id, account_id) DO NOTHING",
            )
        else:
            changed = bool(
                await execute(
                    "DELETE FROM pioneer_thank WHERE pioneer_id = ? AND account_id = ? RETURNING id",
                    pioneer_id,
                    account_id,
                )
            )
        if changed:
            await execute(
                f"UPDATE pioneer SET thank_count = thank_count {'+' if on else '-'} 1"
                " WHERE id = ? RETURNING id",
                pioneer_id,
            )
            work.record(contents.event(Kind.PIONEER_THANKED, row))
    return await visible(ctx, pioneer_id)


# Checking


async def editable(ctx: Context, pioneer_id: UUID, action: str) -> PioneerRow:
    """The profile, for who may change it. Raises NotFound, NotAllowed (and keeps an officer's attempt)."""
    _ = ctx.account_id
    row = await visible(ctx, pioneer_id)
    await check_power(ctx, row.community_id, row.branch_id, Power.PUBLISH_PARTY_CONTENT, action, row.id)
    return row


# Reading


async def visible_by_ids(ctx: Context, ids: Sequence[UUID]) -> list[PioneerRow | None]:
    """The profiles with these ids, None for each that the viewer may not see."""
    return await by_ids(PioneerRow, ids, rules.visible_to(ctx.viewer))


async def visible(ctx: Context, pioneer_id: UUID) -> PioneerRow:
    """The profile. Raises NotFound unless the viewer may see it."""
    return only(await visible_by_ids(ctx, [pioneer_id]))


async def pioneers_of(
    ctx: Context, branches: Sequence[OrganisationRow], args: PageArgs
) -> list[Page[PioneerRow]]:
    """A page of each branch's profiles that the viewer may see."""
    return await pages(
        PioneerRow,
        [branch.id for branch in branches],
        by="branch_id",
        args=args,
        where=rules.visible_to(ctx.viewer),
        order=NEWEST_PIONEERS,
    )


async def pioneers_of_events(_ctx: Context, events: Sequence[Logged]) -> list[PioneerRow | None]:
    """The profile that each event is about, None if it is out of view since."""
    return await by_ids(PioneerRow, [logged.event.subject for logged in events], rules.OUT)


async def portraits_of(_ctx: Context, rows: Sequence[PioneerRow]) -> list[MediaRow | None]:
    return await by_ids(MediaRow, [row.portrait_id for row in rows])


async def posts_of(ctx: Context, rows: Sequence[PioneerRow]) -> list[PostRow | None]:
    """The card of each in the feed, as far as the viewer may see it."""
    return await feed.visible_by_ids(ctx, [row.post_id for row in rows])


async def viewer_has_thanked(ctx: Context, rows: Sequence[PioneerRow]) -> list[bool]:
    """Whether the viewer has thanked each."""
    account_id = ctx.viewer.account_id
    if account_id is None:
        return [False] * len(rows)
    found = await select_ids(
        "SELECT pioneer_id FROM pioneer_thank WHERE account_id = ? AND pioneer_id IN (?)",
        account_id,
        list(dict.fromkeys(row.id for row in rows)),
    )
    thanked = set(found)
    return [row.id in thanked for row in rows]
