"""What clients see: the GraphQL schema and the HTTP endpoint that serves it."""
