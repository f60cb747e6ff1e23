"""What it costs, measured beside what else there is. `make bench` runs all of it."""
