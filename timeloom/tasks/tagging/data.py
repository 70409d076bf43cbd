"""From files to sentences, vocabularies and word vectors."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from timeloom.core import DataError, UsageError
from timeloom.data import PAD, UNKNOWN, Sentence, Splitting, Vocabulary, learn_splitting
from timeloom.tasks.tagging.files import TaggedFile
from timeloom.tasks.tagging.options import TaggerOptions
from timeloom.tasks.tagging.vectors import words_with_vectors
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
    words that have a vector in a file with those vectors, a hash of all that, how raw text is split into such tokens,
    and whether tags are plain.
    """

    parts: dict[str, list[Sentence]]
    vocabulary: dict[str, list[str]]
    features: list[list[str]]
    counts: list[int]
    vectors: tuple[list[int], Tensor] | None
    fingerprint: str
    splitting: Splitting
    plain: bool


def prepare(data: TaggingData, file: TaggedFile, options: TaggerOptions, watch: Watch) -> Prepared:
    """Read all files and say what is odd in them."""
    parts, fingerprint, plain = read_parts(data, file, watch)
    train = parts["train"]
    vocabulary, seen = collect_vocabulary(train, options, data.min_count), words_of(train, options)
    features = [
        list(Vocabulary.build(symbol for sentence in train for symbol in sentence.features[column]).symbols)
        for column in range(len(file.feature_columns))
    ]
    if vocabulary["labels"]:
        watch.note(
            f"{sum(s.label is not None for s in train)} of the {len(train)} sentences in {data.train} have a label, "
            f"{len(vocabulary['labels'])} different ones, which are learned beside the tags "
            "(--no_sentence_labels leaves them out)"
        )
        if not any(sentence.label for sentence in parts["valid"]):
            watch.note(f"{data.valid or 'the held-out part'} has no labels, so the best epoch is picked by F1 alone")
    vectors = None
    if data.vectors is not None:
        words = vocabulary["words"]
        longer, numbers, rows = words_with_vectors(words, seen, data.vectors, data.vectors_kept, options, watch)
        vocabulary["words"], vectors = longer, (numbers, rows)
        content = json.dumps([fingerprint, longer]).encode() + rows.numpy().tobytes()
        fingerprint = hashlib.sha256(content).hexdigest()
    counts = [seen[word] for word in vocabulary["words"]]
    splitting = learn_splitting([sentence.tokens for sentence in train])
    return Prepared(parts, vocabulary, features, counts, vectors, fingerprint, splitting, plain)


def words_of(sentences: Sequence[Sentence], options: TaggerOptions) -> Counter[str]:
    """How often the sentences have each word, in the form that a vocabulary has; the specials' names count nothing."""
    seen = Counter(options.normal_form(token) for sentence in sentences for token in sentence.tokens)
    for special in (PAD, UNKNOWN):
        del seen[special]
    return seen


def read_parts(data: TaggingData, file: TaggedFile, watch: Watch) -> tuple[dict[str, list[Sentence]], str, bool]:
    """The sentences for training, validation and testing, a hash of the first two, and whether tags are plain."""
    parts: dict[str, list[Sentence]] = {}
    plain: bool | None = None
    for name in ("train", "valid", "test"):
        path = getattr(data, name)
        if path is not None:
            parts[name], notes, plain = file.read(path, plain)
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
        if not data.train_on_valid:
            watch.note(
                f"no --valid: {len(parts['valid'])} of the {len(sentences)} sentences in {data.train} are held out"
            )
    if data.train_on_valid:
        parts["train"] = [*parts["train"], *parts["valid"]]
        watch.note("the validation sentences are learned, too, so their scores say nothing about new ones")
    known = {tag for sentence in parts["train"] for tag in sentence.tags or ()}
    strange = Counter(tag for s in parts["valid"] for tag in s.tags or () if tag not in known)
    if strange:
        watch.note(
            f"{data.valid or 'the held-out part'} has tags that the training sentences have not, so they cannot be "
            f"learned: {', '.join(sorted(strange))}"
        )
    if known <= {"O"} and not plain:
        watch.note(f"every tag in {data.train} is O, so there is nothing to find")
    content = [(s.tokens, s.tags, s.label, s.features) for name in ("train", "valid") for s in parts[name]]
    return parts, hashlib.sha256(json.dumps(content).encode()).hexdigest(), bool(plain)


def collect_vocabulary(sentences: Sequence[Sentence], options: TaggerOptions, min_count: int) -> dict[str, list[str]]:
    """Words, tags, letters and labels of the training data."""
    tokens = [token for sentence in sentences for token in sentence.tokens]
    words = Vocabulary.build((options.normal_form(token) for token in tokens), min_count)
    tags = sorted({tag for sentence in sentences for tag in sentence.tags or ()})
    letters = Vocabulary.build(letter for token in tokens for letter in token)
    labels = sorted({s.label for s in sentences if s.label is not None}) if options.sentence_labels else []
    return {"words": list(words.symbols), "tags": tags, "characters": list(letters.symbols), "labels": labels}
