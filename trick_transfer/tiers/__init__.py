"""The tiers, each a file of plain data. runs/tiers.py reads them."""
