"""One label, or several, for a whole text or a whole series of vectors: sentiment, topics, digits row by row."""

from timeloom.tasks.classify.data import ClassifyData
from timeloom.tasks.classify.evaluation import LabelScores, evaluate_classifier, score_classifier
from timeloom.tasks.classify.explanation import Explanation, explain_label
from timeloom.tasks.classify.model import Classifier
from timeloom.tasks.classify.options import CLASSIFY_TEXT, CLASSIFY_TRAINING, ClassifierOptions, LabelledFile
from timeloom.tasks.classify.training import train_classifier

__all__ = [
    "CLASSIFY_TEXT",
    "CLASSIFY_TRAINING",
    "Classifier",
    "ClassifierOptions",
    "ClassifyData",
    "Explanation",
    "LabelScores",
    "LabelledFile",
    "evaluate_classifier",
    "explain_label",
    "score_classifier",
    "train_classifier",
]
