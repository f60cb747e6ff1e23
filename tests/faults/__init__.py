"""What breaks in operation, broken on purpose under really running servers: a test for each fault."""
