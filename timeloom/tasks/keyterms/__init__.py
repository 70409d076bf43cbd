"""Key terms: which words of a document say what it is about."""

from timeloom.tasks.keyterms.evaluation import KeytermScores, evaluate_keyterm_extractor, f1_of_first, score_extractor
from timeloom.tasks.keyterms.model import Extracted, KeytermExtractor
from timeloom.tasks.keyterms.options import KEYTERM_TRAINING, DocumentFile, KeytermOptions
from timeloom.tasks.keyterms.training import KeytermData, train_keyterm_extractor

__all__ = [
    "KEYTERM_TRAINING",
    "DocumentFile",
    "Extracted",
    "KeytermData",
    "KeytermExtractor",
    "KeytermOptions",
    "KeytermScores",
    "evaluate_keyterm_extractor",
    "f1_of_first",
    "score_extractor",
    "train_keyterm_extractor",
]
