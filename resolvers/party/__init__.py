"""The online party branch: one module a part of it."""
