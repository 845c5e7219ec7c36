"""The embedded benchmark: synthetic scenes of ten animal kinds, made in a minute from the files of this package."""

from .animals import KINDS
from .build import make
from .surfaces import MATERIALS

CLASSES = KINDS  # ADE ids 1 to 10
STUFF = tuple(MATERIALS)  # ADE ids 11 to 20

__all__ = ["CLASSES", "STUFF", "make"]
