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
