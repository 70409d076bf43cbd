"""Sentences, their tags, the files they come in, their numbers and their batches."""

from timeloom.data.batching import epoch_batches, evaluation_batches
from timeloom.data.readers import TAGGED_FORMATS, UNTAGGED_FORMATS, read_tagged, read_untagged, read_vectors
from timeloom.data.sentence import Sentence
from timeloom.data.tags import (
    SCHEMES,
    Chunk,
    Normalised,
    chunks,
    from_bio,
    guess_scheme,
    is_tag,
    normalise,
    to_bio,
)
from timeloom.data.travel import LECTURE_SENTENCES, travel_corpus, write_travel_corpus
from timeloom.data.vocab import PAD, UNKNOWN, Vocabulary

__all__ = [
    "LECTURE_SENTENCES",
    "PAD",
    "SCHEMES",
    "TAGGED_FORMATS",
    "UNKNOWN",
    "UNTAGGED_FORMATS",
    "Chunk",
    "Normalised",
    "Sentence",
    "Vocabulary",
    "chunks",
    "epoch_batches",
    "evaluation_batches",
    "from_bio",
    "guess_scheme",
    "is_tag",
    "normalise",
    "read_tagged",
    "read_untagged",
    "read_vectors",
    "to_bio",
    "travel_corpus",
    "write_travel_corpus",
]
