"""The online party branch (线上党支部). A branch is an organisation of kind PARTY_BRANCH."""
