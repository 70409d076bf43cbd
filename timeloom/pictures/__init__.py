"""Arrays in, figures out."""

from timeloom.pictures.curves import training_curves
from timeloom.pictures.files import as_png
from timeloom.pictures.lattice import tag_lattice
from timeloom.pictures.tags import tag_probabilities
from timeloom.pictures.transitions import transition_matrix
from timeloom.pictures.words import word_weights

__all__ = ["as_png", "tag_lattice", "tag_probabilities", "training_curves", "transition_matrix", "word_weights"]
