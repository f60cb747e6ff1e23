"""What an app sends to offer something, and to use it."""

PROBLEM = "... on Problem { code message } ... on InvalidInput { fields { name message } }"
CREATE = f"""mutation Create($input: CreateEntryInput!) {{ createEntry(input: $input) {{ __typename
  ... on EntryPayload {{ entry {{ id version }} }} {PROBLEM} }} }}"""
PUBLISH = f"""mutation Publish($input: SetEntryPublishedInput!) {{ setEntryPublished(input: $input) {{
  __typename ... on EntryPayload {{ entry {{ id version publishedAt }} }} {PROBLEM} }} }}"""
SUBMIT = f"""mutation Submit($input: SubmitLicenceInput!) {{ submitLicence(input: $input) {{ __typename
  ... on LicencePayload {{ licence {{ id version state number validUntil }} }} {PROBLEM} }} }}"""
DECIDE = f"""mutation Decide($input: DecideLicenceInput!) {{ decideLicence(input: $input) {{ __typename
  ... on LicencePayload {{ licence {{ id version state }} }} {PROBLEM} }} }}"""
ADD_SLOTS = f"""mutation Add($input: AddSlotsInput!) {{ addSlots(input: $input) {{ __typename
  ... on OpenSlotsPayload {{ added }} {PROBLEM} }} }}"""
SLOTS = """query Slots($entry: ID!) { node(id: $entry) { ... on DirectoryEntry {
  slots(first: 10) { edges { node { id startsAt free viewerBooking { id state } } } } } } }"""
BOOK = f"""mutation Book($input: BookSlotInput!) {{ bookSlot(input: $input) {{ __typename
  ... on BookingPayload {{ booking {{ id version state }} }} {PROBLEM} }} }}"""
CANCEL = f"""mutation Cancel($input: CancelBookingInput!) {{ cancelBooking(input: $input) {{ __typename
  ... on BookingPayload {{ booking {{ id version state }} }} {PROBLEM} }} }}"""
OFFER = f"""mutation Offer($input: CreateOfferInput!) {{ createOffer(input: $input) {{ __typename
  ... on OfferPayload {{ offer {{ id title running }} }} {PROBLEM} }} }}"""
RATE = f"""mutation Rate($input: RateEntryInput!) {{ rateEntry(input: $input) {{ __typename
  ... on RatingPayload {{ rating {{ id version stars }} }} {PROBLEM} }} }}"""
REPLY = f"""mutation Reply($input: ReplyToRatingInput!) {{ replyToRating(input: $input) {{ __typename
  ... on RatingPayload {{ rating {{ id version reply }} }} {PROBLEM} }} }}"""
