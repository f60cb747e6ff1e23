"""Queries: a feed page from Linli as it is served, beside what else one would write."""
