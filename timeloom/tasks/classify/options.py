"""What can be said about a classifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from timeloom.cells import CellName
from timeloom.core import UsageError
from timeloom.data import Example, TextOptions, read_labelled
from timeloom.layers import Pool, Spelling
from timeloom.train import TrainingOptions

# Sentences are read as raw text, in lower case and with signs apart. Small sets need more passes than large ones.
CLASSIFY_TEXT = TextOptions(level="word", lowercase=True, punctuation=True)
# Series may be long, and have as many passes however few they are.
SERIES_EPOCHS = 12
CLASSIFY_TRAINING = TrainingOptions(epochs=None, batch_size=32, learning_rate=1e-3)


@dataclass(frozen=True)
class LabelledFile:
    """How the files are written.

    Args:
        format: A table with a header (csv, tsv), JSON lines, lines that begin with their label, lines with __label__
            words (fasttext), a folder with a folder for each label; of series of vectors, npz with arrays x (N, T, D)
            and y, a table with a row a step (steps), files of the archives (ts), rows of a label and numbers (ucr).
        text_column: Name of the text's column or key; a number from 0 where a table has no header. Several, with
            commas between them (subject,body), are put together, a line each.
        label_column: Name or number of the label's column or key.
        label_separator: What parts the labels where a text may have several, as in "sad|funny". null: it has one.
        label_until: Only what stands before this sign is the label: ":" makes NUM of NUM:dist. null: all of it is.
        delimiter: What parts the columns of a table. null: a comma in csv and a tab in tsv, or what parts the names in
            the header.
        encoding: Of text files, as in cp1252. null: UTF-8, or UTF-16 with its mark.
    """

    format: Literal["guess", "csv", "tsv", "jsonlines", "lines", "fasttext", "folder", "npz", "steps", "ts", "ucr"] = (
        "guess"
    )
    text_column: str = "text"
    label_column: str = "label"
    label_separator: str | None = None
    label_until: str | None = None
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        for name in ("label_separator", "label_until"):
            if getattr(self, name) == "":
                raise UsageError(f"{name} is empty, wanted a sign or several, or null")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UsageError(f"delimiter is {self.delimiter!r}, wanted one sign, as in ';'")

    def read(self, path: str | Path, *, labelled: bool = True) -> list[Example]:
        """The examples of a file, with their labels or without. Raises DataError."""
        return read_labelled(
            path,
            self.format,
            self.text_column,
            self.label_column,
            self.label_separator,
            labelled=labelled,
            label_until=self.label_until,
            delimiter=self.delimiter,
            encoding=self.encoding,
        )


@dataclass(frozen=True)
class ClassifierOptions:
    """The classifier.

    Args:
        cell: The recurrence that reads the text; `timeloom cells` says what they are.
        cell_options: What the cell takes besides, as in {"context_size": 40} for scrn.
        hidden_size: Units of the recurrence, in each direction.
        num_layers: Recurrent layers, one on another.
        bidirectional: Read from both ends.
        embedding_size: Numbers that stand for a word or character; series of vectors are read as they are.
        characters: Also read each word letter by letter, capitals included, with convolutions or a small recurrent net.
            Only where the text is read as words (--level word).
        character_embedding_size: Numbers that stand for a letter.
        character_hidden_size: Units of the net over letters, in each direction; half as many as there are convolutions.
        ngrams: Also score words, pairs of words and pieces of words wherever they stand, by logistic regression, and
            weigh these scores against the recurrent net's on the validation data: the most frequent n-grams, this many
            at most. 0 leaves them out. Only where the text is read as words.
        pooling: How the label sees the whole: attention weighs the steps, max and mean take each unit's, last the end.
        dropout: Share of the entries that are dropped of words' vectors, between layers, and of what was pooled.
        recurrent_dropout: Share of the state's entries that the recurrence does not see, the same ones at every step.
        word_dropout: Share of the words that are hidden in training.
    """

    cell: CellName = "lstm"
    cell_options: dict[str, Any] = field(default_factory=dict)
    hidden_size: int = 128
    num_layers: int = 1
    bidirectional: bool = True
    embedding_size: int = 128
    characters: Spelling = "cnn"
    character_embedding_size: int = 32
    character_hidden_size: int = 32
    ngrams: int = 100_000
    pooling: Pool = "attention"
    dropout: float = 0.5
    recurrent_dropout: float = 0.0
    word_dropout: float = 0.1

    def __post_init__(self) -> None:
        sizes = ("hidden_size", "num_layers", "embedding_size", "character_embedding_size", "character_hidden_size")
        for name, least in {**dict.fromkeys(sizes, 1), "ngrams": 0}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted {least} or more")
        for name in ("dropout", "recurrent_dropout", "word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 0 ≤ {name} < 1")
