"""Sentences, their tags, the files they come in, their numbers and their batches."""

from timeloom.data.batching import epoch_batches, evaluation_batches, seed_of
from timeloom.data.example import Example
from timeloom.data.learn_splitting import learn_splitting
from timeloom.data.limits import Limits, no_limits
from timeloom.data.normalise import PLAIN, Normalised, normalise
from timeloom.data.readers import (
    TAGGED_FORMATS,
    UNTAGGED_FORMATS,
    Document,
    Term,
    pieces,
    read_documents,
    read_labelled,
    read_tagged,
    read_untagged,
    read_vectors,
)
from timeloom.data.sentence import Sentence
from timeloom.data.splitting import AT_BLANKS, Split, Splitting, TextToken, sentences_in
from timeloom.data.tags import (
    SCHEMES,
    Chunk,
    TagPart,
    chunks,
    from_bio,
    guess_scheme,
    is_tag,
    tag_parts,
    to_bio,
)
from timeloom.data.tokenizer import EOS, Level, TextOptions, Tokenizer, learn_tokenizer, words_of
from timeloom.data.travel import LECTURE_SENTENCES, travel_corpus, write_travel_corpus
from timeloom.data.vocab import PAD, UNKNOWN, Vocabulary
from timeloom.data.windows import Window, WindowOptions, Windows, plan_windows

__all__ = [
    "AT_BLANKS",
    "EOS",
    "LECTURE_SENTENCES",
    "PAD",
    "PLAIN",
    "SCHEMES",
    "TAGGED_FORMATS",
    "UNKNOWN",
    "UNTAGGED_FORMATS",
    "Chunk",
    "Document",
    "Example",
    "Level",
    "Limits",
    "Normalised",
    "Sentence",
    "Split",
    "Splitting",
    "TagPart",
    "Term",
    "TextOptions",
    "TextToken",
    "Tokenizer",
    "Vocabulary",
    "Window",
    "WindowOptions",
    "Windows",
    "chunks",
    "epoch_batches",
    "evaluation_batches",
    "from_bio",
    "guess_scheme",
    "is_tag",
    "learn_splitting",
    "learn_tokenizer",
    "no_limits",
    "normalise",
    "pieces",
    "plan_windows",
    "read_documents",
    "read_labelled",
    "read_tagged",
    "read_untagged",
    "read_vectors",
    "seed_of",
    "sentences_in",
    "tag_parts",
    "to_bio",
    "travel_corpus",
    "words_of",
    "write_travel_corpus",
]
