"""People and programs that may use the system: users, roles, sessions, API tokens, passwords."""
