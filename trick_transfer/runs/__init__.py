"""A run of one stage: its resolved Config, its training, its result."""
