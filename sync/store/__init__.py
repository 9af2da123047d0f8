"""What Leadpact remembers: PostgreSQL, its migrations and its named statements."""
