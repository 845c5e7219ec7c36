"""The commands, one file each: they parse, call and print. `trick-transfer NAME` or `tools/NAME.py` runs them."""
