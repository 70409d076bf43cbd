"""From files to sentences, vocabularies and word vectors."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from timeloom.core import DataError, UsageError
from timeloom.data import Sentence, Vocabulary, read_vectors
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.train import Watch


@dataclass(frozen=True)
class TaggingData:
    """The data.

    Args:
        train: Tagged sentences to learn from.
        valid: Tagged sentences that pick the best epoch. null: every tenth sentence of train is held out.
        train_on_valid: Learn from the validation sentences, too: for a final model, when all settings have been chosen
            with them held out. Wants keep=last, for no epoch can be picked by them any more.
        test: Tagged sentences to score the finished model on.
        min_count: Words that train has fewer times than this are unknown words.
        vectors: Word vectors to begin with, a text file as word2vec and GloVe write it, as wide as embedding_size.
        vectors_kept: How many of the file's first vectors are kept though train has not their words, so that the
            finished model knows these words too.
    """

    train: str
    valid: str | None = None
    train_on_valid: bool = False
    test: str | None = None
    min_count: int = 1
    vectors: str | None = None
    vectors_kept: int = 50_000

    def __post_init__(self) -> None:
        if self.vectors_kept < 0:
            raise UsageError(f"vectors_kept is {self.vectors_kept}, wanted 0 or more")


@dataclass(frozen=True)
class Prepared:
    """What training begins with.

    Sentences by part, vocabulary, symbols of each further feature, how often train has each word, the numbers of the
    words that have a vector in a file with those vectors, and a hash of all that.
    """

    parts: dict[str, list[Sentence]]
    vocabulary: dict[str, list[str]]
    features: list[list[str]]
    counts: list[int]
    vectors: tuple[list[int], Tensor] | None
    fingerprint: str


def prepare(data: TaggingData, file: TaggedFile, options: TaggerOptions, watch: Watch) -> Prepared:
    """Read all files and say what is odd in them."""
    parts, fingerprint = read_parts(data, file, watch)
    vocabulary, counts = collect_vocabulary(parts["train"], options, data.min_count)
    features = [
        list(Vocabulary.build(symbol for sentence in parts["train"] for symbol in sentence.features[column]).symbols)
        for column in range(len(file.feature_columns))
    ]
    if vocabulary["labels"]:
        watch.note(
            f"{data.train} has {len(vocabulary['labels'])} labels of sentences, which are learned beside the tags "
            "(--no_sentence_labels leaves them out)"
        )
    if data.vectors is None:
        return Prepared(parts, vocabulary, features, counts, None, fingerprint)
    places, vectors = begin_with_vectors(vocabulary, data.vectors, data.vectors_kept, options, watch)
    counts = counts + [0] * (len(vocabulary["words"]) - len(counts))
    content = fingerprint.encode() + json.dumps(vocabulary["words"]).encode() + vectors.numpy().tobytes()
    return Prepared(parts, vocabulary, features, counts, (places, vectors), hashlib.sha256(content).hexdigest())


def read_parts(data: TaggingData, file: TaggedFile, watch: Watch) -> tuple[dict[str, list[Sentence]], str]:
    """The sentences for training, validation and testing, and a hash of the first two."""
    parts: dict[str, list[Sentence]] = {}
    for name in ("train", "valid", "test"):
        path = getattr(data, name)
        if path is not None:
            parts[name], notes = file.read(path)
            for note in notes:
                watch.note(note)
    if "valid" not in parts:
        if len(parts["train"]) < 2:
            raise DataError(
                "has one sentence only, so none can be held out for validation. Give more, or name a file by --valid.",
                data.train,
            )
        sentences = parts["train"]
        parts["valid"] = sentences[9::10] or sentences[-1:]
        held_out = {id(sentence) for sentence in parts["valid"]}
        parts["train"] = [sentence for sentence in sentences if id(sentence) not in held_out]
        watch.note(f"no --valid: {len(parts['valid'])} of the {len(sentences)} sentences in {data.train} are held out")
    if data.train_on_valid:
        parts["train"] = [*parts["train"], *parts["valid"]]
    known = {tag for sentence in parts["train"] for tag in sentence.tags or ()}
    strange = Counter(tag for s in parts["valid"] for tag in s.tags or () if tag not in known)
    if strange:
        watch.note(
            f"{data.valid or 'the held-out part'} has tags that the training sentences have not, so they cannot be "
            f"learned: {', '.join(sorted(strange))}"
        )
    if known <= {"O"}:
        watch.note(f"every tag in {data.train} is O, so there is nothing to find")
    content = [(s.tokens, s.tags, s.label, s.features) for name in ("train", "valid") for s in parts[name]]
    return parts, hashlib.sha256(json.dumps(content).encode()).hexdigest()


def collect_vocabulary(
    sentences: Sequence[Sentence], options: TaggerOptions, min_count: int
) -> tuple[dict[str, list[str]], list[int]]:
    """Words, tags, letters and labels of the training data, and how often each word of the vocabulary occurs."""
    tokens = [token for sentence in sentences for token in sentence.tokens]
    words = Vocabulary.build((options.normal_form(token) for token in tokens), min_count)
    tags = sorted({tag for sentence in sentences for tag in sentence.tags or ()})
    letters = Vocabulary.build(letter for token in tokens for letter in token)
    labels = sorted({s.label for s in sentences if s.label is not None}) if options.sentence_labels else []
    vocabulary = {"words": list(words.symbols), "tags": tags, "characters": list(letters.symbols), "labels": labels}
    return vocabulary, list(words.counts or ())


def begin_with_vectors(
    vocabulary: dict[str, list[str]], path: str, kept: int, options: TaggerOptions, watch: Watch
) -> tuple[list[int], Tensor]:
    """Put the file's first words behind those of the vocabulary; give the numbers of all words that have a vector, and
    the vectors. A word of train that the file has in lower case only takes that."""
    known = set(vocabulary["words"])
    lower = {word.lower() for word in known}
    words, rows = read_vectors(
        path,
        options.embedding_size,
        lambda word, place: place < kept or (form := options.normal_form(word)) in known or form in lower,
    )
    place_of: dict[str, int] = {}
    for place, word in enumerate(words):
        place_of.setdefault(options.normal_form(word), place)
    specials, seen = vocabulary["words"][:2], vocabulary["words"][2:]
    found = {word: place_of.get(word, place_of.get(word.lower())) for word in seen}
    missing = [word for word, place in found.items() if place is None]
    in_lower = sum(place is not None and word not in place_of for word, place in found.items())
    more = [word for word in place_of if word not in known and place_of[word] < kept]
    watch.note(
        f"{path}: {len(seen) - len(missing)} of the {len(seen)} words of the training data have a vector"
        + (f", {in_lower} of them in lower case only" if in_lower else "")
        + (f"; {len(missing)} have none and begin at random: {some(missing)}" if missing else "")
        + (f"; {len(more)} more words of the file are known too" if more else "")
    )
    if len(missing) == len(seen):
        raise DataError(
            f"has a vector for none of the {len(seen)} words of the training data.\n"
            "  Check that it is of the same language, and try --lowercase or --no_digits.",
            path,
        )
    vocabulary["words"] += more
    numbers = {word: number for number, word in enumerate(vocabulary["words"]) if number >= len(specials)}
    places = {word: place for word, place in found.items() if place is not None} | {w: place_of[w] for w in more}
    return [numbers[word] for word in places], rows[list(places.values())]


def some(words: Sequence[str], most: int = 8) -> str:
    """The first few words of a list, for a message."""
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
