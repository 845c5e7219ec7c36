"""The tiers, each a file of plain data, read by runs/tiers.py."""
