"""How good a frozen backbone's features are: a linear probe, nearest neighbours, and few images of each class."""
