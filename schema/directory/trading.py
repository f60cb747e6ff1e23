"""What can be done with offers and ratings."""

from datetime import datetime

import strawberry

from models.directory.offers import OfferRow
from models.directory.ratings import RatingRow
from resolvers.directory import offers, ratings
from resolvers.directory.offers import OfferDraft
from schema.directory.offers import Offer
from schema.directory.ratings import EntryRating
from schema.fields import Info
from schema.mutations import IDEMPOTENCY_KEY, Result, payload, shown
from schema.node import key_of
from schema.problems import Conflict, InvalidInput, NotAllowed, NotFound, RateLimited

PROBLEMS = (InvalidInput, NotAllowed, NotFound, Conflict, RateLimited)


@strawberry.input(description="What an offer says.")
class OfferInput:
    title: str = strawberry.field(description="What is offered, 1 to 80 characters.")
    body: str = strawberry.field(description="On which terms, 1 to 1,000 characters.")
    price_fen: int | None = strawberry.field(default=None, description="What it costs, in fen.")
    valid_from: datetime = strawberry.field(description="From when it holds.")
    valid_until: datetime = strawberry.field(description="Until when, a year later at most.")

    def draft(self) -> OfferDraft:
        return OfferDraft(self.title, self.body, self.price_fen, self.valid_from, self.valid_until)


@strawberry.input(description="A new offer.")
class CreateOfferInput:
    entry_id: strawberry.ID = strawberry.field(description="The service that it belongs to.")
    idempotency_key: str = strawberry.field(description=IDEMPOTENCY_KEY)
    offer: OfferInput = strawberry.field(description="What it says.")


@strawberry.input(description="An offer as it is to be.")
class EditOfferInput:
    offer_id: strawberry.ID = strawberry.field(description="The offer.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    offer: OfferInput = strawberry.field(description="What it says from now on, all of it.")


@strawberry.input(description="Which offer to end.")
class WithdrawOfferInput:
    offer_id: strawberry.ID = strawberry.field(description="The offer.")
    version: int = strawberry.field(description="The version that the viewer has read.")


@payload("The offer is kept.")
class OfferPayload:
    offer: OfferRow = shown(Offer, "As it is now.")


OfferResult = Result("OfferResult", OfferPayload, *PROBLEMS, description="What came of an offer.")


@strawberry.input(description="What the viewer thinks of a service.")
class RateEntryInput:
    entry_id: strawberry.ID = strawberry.field(description="The service.")
    stars: int = strawberry.field(description="1 to 5.")
    body: str = strawberry.field(default="", description="In words, up to 500 characters.")


@strawberry.input(description="What the organisation answers.")
class ReplyToRatingInput:
    rating_id: strawberry.ID = strawberry.field(description="The rating.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    body: str = strawberry.field(description="1 to 500 characters.")


@strawberry.input(description="Whether a rating is out of sight.")
class SetRatingHiddenInput:
    rating_id: strawberry.ID = strawberry.field(description="The rating.")
    version: int = strawberry.field(description="The version that the viewer has read.")
    hidden: bool = strawberry.field(description="True to hide it, false to bring it back.")
    reason: str = strawberry.field(
        default="", description="Which rule it breaks, up to 300 characters; needed to hide it."
    )


@payload("The rating is kept.")
class RatingPayload:
    rating: RatingRow = shown(EntryRating, "As it is now.")


RatingResult = Result("RatingResult", RatingPayload, *PROBLEMS, description="What came of a rating.")


@strawberry.type
class TradingMutation:
    @OfferResult.mutation()
    async def create_offer(self, info: Info, input: CreateOfferInput) -> OfferPayload:
        """Offer something for a while. For those who keep the entry; 20 a day."""
        row = await offers.create(
            info.context,
            entry_id=key_of("entryId", input.entry_id, "DirectoryEntry"),
            draft=input.offer.draft(),
            key=input.idempotency_key,
        )
        return OfferPayload(offer=row)

    @OfferResult.mutation()
    async def edit_offer(self, info: Info, input: EditOfferInput) -> OfferPayload:
        """Replace what an offer says. For those who keep the entry."""
        row = await offers.edit(
            info.context,
            offer_id=key_of("offerId", input.offer_id, "Offer"),
            version=input.version,
            draft=input.offer.draft(),
        )
        return OfferPayload(offer=row)

    @OfferResult.mutation()
    async def withdraw_offer(self, info: Info, input: WithdrawOfferInput) -> OfferPayload:
        """End an offer before its time. For those who keep the entry."""
        row = await offers.withdraw(
            info.context, offer_id=key_of("offerId", input.offer_id, "Offer"), version=input.version
        )
        return OfferPayload(offer=row)

    @RatingResult.mutation()
    async def rate_entry(self, info: Info, input: RateEntryInput) -> RatingPayload:
        """Rate a service of the categories CONVENIENCE and NEARBY. For verified residents; said
        again, it replaces what was said.
        """
        row = await ratings.rate(
            info.context,
            entry_id=key_of("entryId", input.entry_id, "DirectoryEntry"),
            stars=input.stars,
            body=input.body,
        )
        return RatingPayload(rating=row)

    @RatingResult.mutation()
    async def reply_to_rating(self, info: Info, input: ReplyToRatingInput) -> RatingPayload:
        """Answer a rating in the organisation's name; said again, it replaces the answer. For those
        who keep the entry.
        """
        row = await ratings.reply(
            info.context,
            rating_id=key_of("ratingId", input.rating_id, "EntryRating"),
            version=input.version,
            body=input.body,
        )
        return RatingPayload(rating=row)

    @RatingResult.mutation()
    async def set_rating_hidden(self, info: Info, input: SetRatingHiddenInput) -> RatingPayload:
        """Hide a rating that breaks the rules, or bring it back. For those who moderate."""
        row = await ratings.set_hidden(
            info.context,
            rating_id=key_of("ratingId", input.rating_id, "EntryRating"),
            version=input.version,
            hidden=input.hidden,
            reason=input.reason,
        )
        return RatingPayload(rating=row)
