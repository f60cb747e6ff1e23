"""What is kept: tables, light rows, and the predicates that say who may see or do what."""
