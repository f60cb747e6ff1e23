"""The acceptance stories, played by real clients against really running servers."""
