"""A fourth task, small and whole: is an image bright? Its backbone comes from a card, as every task's does."""
