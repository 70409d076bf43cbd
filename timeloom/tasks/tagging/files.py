"""How tagged files are written, as options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from timeloom.core import UsageError
from timeloom.data import Sentence, normalise, read_tagged


@dataclass(frozen=True)
class TaggedFile:
    """How the files are written.

    Args:
        format: Their format: CoNLL columns, a folder with seq.in and seq.out, JSON lines, or lines of words TAB tags.
        token_column: Column of the token in CoNLL files, from 0; -1 is the last.
        tag_column: Column of the tag in CoNLL files, from 0; -1 is the last.
        feature_columns: Columns of what else is known of a token in CoNLL files, its part of speech for instance, as in
            [1], counted from 0; the model then wants them of every sentence.
        scheme: How chunks are written as tags.
        strict: Refuse tags that cannot follow each other, rather than repair and count them.
    """

    format: Literal["guess", "conll", "folder", "jsonlines", "lines"] = "guess"
    token_column: int = 0
    tag_column: int = -1
    feature_columns: list[int] = field(default_factory=list)
    scheme: Literal["guess", "bio", "iob1", "iobes", "bilou"] = "guess"
    strict: bool = False

    def __post_init__(self) -> None:
        if any(column < 0 for column in self.feature_columns):  # files to be tagged end before the tags
            raise UsageError(f"feature_columns are {self.feature_columns}, wanted columns counted from 0")

    def read(self, path: str | Path) -> tuple[list[Sentence], list[str]]:
        """The sentences of a file with BIO tags, whatever scheme the file has, and notes about what was odd in it."""
        sentences = read_tagged(path, self.format, self.token_column, self.tag_column, self.feature_columns)
        read = normalise(sentences, self.scheme, strict=self.strict, path=path)
        notes = [f"{path} is read as {read.scheme}"] if self.scheme == "guess" and read.scheme != "bio" else []
        if read.repairs:
            notes.append(
                f"{path}: {read.repairs} tags could not stand where they do and were repaired, the first: "
                f"{read.first_repair}"
            )
        return read.sentences, notes
