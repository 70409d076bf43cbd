"""How tagged files are written, as options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from timeloom.core import UsageError
from timeloom.data import PLAIN, Normalised, Sentence, normalise, read_tagged

SHOWN = 10
"""Most lines that a note names."""


class TaggedSentences(NamedTuple):
    """What a file holds: sentences with tags in BIO, or plain ones, and notes about what was odd in it."""

    sentences: list[Sentence]
    notes: list[str]
    plain: bool


@dataclass(frozen=True)
class TaggedFile:
    """How the files are written.

    Args:
        format: Their format: CoNLL columns, CoNLL-U, a folder with seq.in and seq.out, JSON (tokens with tags, or a
            text with spans), lines of words TAB tags, or of pairs like Oslo:B-city.
        token_column: Column of the token in CoNLL files, from 0; -1 is the last.
        tag_column: Column of the tag in CoNLL files, from 0; -1 is the last, and in CoNLL-U the part of speech (3).
        feature_columns: Columns of what else is known of a token in CoNLL files, its part of speech for instance, as in
            [1], counted from 0; the model then wants them of every sentence.
        scheme: How chunks are written as tags. io: every run of words with one tag is a chunk. plain: tags are no
            chunks but one for each word, parts of speech for instance, and are scored by accuracy.
        strict: Refuse tags that cannot follow each other, rather than repair and count them.
    """

    format: Literal["guess", "conll", "conllu", "folder", "jsonlines", "lines", "pairs"] = "guess"
    token_column: int = 0
    tag_column: int = -1
    feature_columns: list[int] = field(default_factory=list)
    scheme: Literal["guess", "bio", "iob1", "ioe2", "iobes", "bilou", "io", "plain"] = "guess"
    strict: bool = False

    def __post_init__(self) -> None:
        if any(column < 0 for column in self.feature_columns):  # files to be tagged end before the tags
            raise UsageError(f"feature_columns are {self.feature_columns}, wanted columns counted from 0")

    def read(self, path: str | Path, plain: bool | None = None) -> TaggedSentences:
        """The sentences of a file, with BIO tags whatever scheme the file has, or with plain tags, and notes about what
        was odd in it. `plain` says whether the tags must be plain; None: as the file has it."""
        notes: list[str] = []
        sentences = read_tagged(
            path,
            self.format,
            self.token_column,
            self.tag_column,
            self.feature_columns,
            scheme=self.scheme,
            note=notes.append,
        )
        read = normalise(sentences, self.scheme, strict=self.strict, path=path, plain=plain)
        notes += notes_about_tags(read, guessed=self.scheme == "guess")
        return TaggedSentences(read.sentences, [f"{path}: {note}" for note in notes], read.scheme == PLAIN)


def notes_about_tags(read: Normalised, guessed: bool) -> list[str]:
    notes = [] if read.told is None else [read.told]
    if guessed and read.scheme not in ("bio", PLAIN):
        notes.append(f"its tags are read as {read.scheme}")
    if read.repairs:
        lines = ", ".join(map(str, read.lines[:SHOWN])) + (", ..." if len(read.lines) > SHOWN else "")
        where = f" (lines {lines})" if len(read.lines) > 1 else ""
        notes.append(
            f"{read.repairs} tags could not stand where they do in {read.scheme} and were repaired{where}, the first: "
            f"{read.first_repair}"
        )
    return notes
