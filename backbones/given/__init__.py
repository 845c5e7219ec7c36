"""A network that somebody else trained, as a backbone."""
