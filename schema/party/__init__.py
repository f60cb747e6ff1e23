"""The online party branch, as clients see it: one module a part of it."""
