"""The owners' vote: put, announced, opened, cast, closed, counted, and counted again by anyone."""
