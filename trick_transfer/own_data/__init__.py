"""Data of anyone's own: described by a tier, read once, checked, split, and laid out as training reads them."""
