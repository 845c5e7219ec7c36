"""The classification stage: the paper's baseline, its bag of tricks, and the recipes that combine them."""
