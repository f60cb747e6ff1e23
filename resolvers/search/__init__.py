"""Finding things by words: each domain says what can be found, and its own permission decides who sees it."""

from resolvers.search.index import forget, forget_posts, index

__all__ = ["forget", "forget_posts", "index"]
