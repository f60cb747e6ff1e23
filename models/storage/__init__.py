"""How things are kept on SQLite and PostgreSQL: connections, statements, rows, pages. It holds no table."""
