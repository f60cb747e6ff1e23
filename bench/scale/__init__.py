"""Scale: a page costs the same in a small community and in a large one, and two processes serve more."""
