"""Arrays in, figures out."""

from timeloom.pictures.curves import training_curves
from timeloom.pictures.files import as_png
from timeloom.pictures.tags import tag_probabilities

__all__ = ["as_png", "tag_probabilities", "training_curves"]
