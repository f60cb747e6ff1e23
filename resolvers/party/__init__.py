"""The online party branch (线上党支部)."""
