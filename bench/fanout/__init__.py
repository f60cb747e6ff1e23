"""Fan-out: one publish to the last of thousands of subscribers."""
