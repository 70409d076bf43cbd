"""Arrays in, figures out."""

from timeloom.pictures.curves import training_curves
from timeloom.pictures.files import as_picture, as_png, picture_suffix
from timeloom.pictures.flow import gradient_flow_figure
from timeloom.pictures.gates import gates_figure
from timeloom.pictures.lattice import tag_lattice
from timeloom.pictures.learning import learning_curves
from timeloom.pictures.surface import error_surface
from timeloom.pictures.tags import tag_probabilities
from timeloom.pictures.transitions import transition_matrix
from timeloom.pictures.words import word_weights

__all__ = [
    "as_picture",
    "as_png",
    "error_surface",
    "gates_figure",
    "gradient_flow_figure",
    "learning_curves",
    "picture_suffix",
    "tag_lattice",
    "tag_probabilities",
    "training_curves",
    "transition_matrix",
    "word_weights",
]
