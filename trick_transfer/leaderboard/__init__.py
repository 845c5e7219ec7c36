"""From a stage's metrics to a ranked table: one file a result (results.py), one row a recipe (tables.py)."""
