"""The shell: everything that is not a rule. Knows no business noun and imports no service."""
