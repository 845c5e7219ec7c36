"""A run's metrics from its stored outputs, and which runs may be compared."""
