"""Arrays in, figures out."""

from timeloom.pictures.curves import training_curves

__all__ = ["training_curves"]
