"""The paper: its numbers, its tables, its ladder of tricks, its figures."""
