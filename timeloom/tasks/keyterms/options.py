"""What can be said about an extractor of key terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from timeloom.cells import CellName
from timeloom.core import UsageError
from timeloom.data import Document, read_documents
from timeloom.train import TrainingOptions

KEYTERM_TRAINING = TrainingOptions(epochs=12, batch_size=8, learning_rate=2e-3)


@dataclass(frozen=True)
class DocumentFile:
    """How the files are written: JSON, or folders of docs/*.txt and keys/*.key, for which there is nothing to say.

    Args:
        text_keys: The keys of the text; several are put together, as in ["title", "abstract"].
        terms_key: The key of the key terms, a list or a string with semicolons between them.
    """

    text_keys: list[str] = field(default_factory=lambda: ["text"])
    terms_key: str = "keyterms"

    def __post_init__(self) -> None:
        if not self.text_keys:
            raise UsageError("text_keys is empty, wanted the key of the text at least")

    def read(self, path: str | Path, *, with_terms: bool = True) -> list[Document]:
        """The documents of a file. Raises DataError."""
        return read_documents(path, self.text_keys, self.terms_key, with_terms=with_terms)


@dataclass(frozen=True)
class KeytermOptions:
    """The extractor.

    Args:
        extraction: tags marks the words by a conditional random field over the encoder. attention pools the whole
            document by attention, and asks of each word, beside that, whether it belongs to a key term.
        cell: The recurrence that reads the document; `timeloom cells` says what they are.
        cell_options: What the cell takes besides, as in {"context_size": 40} for scrn.
        hidden_size: Units of the recurrence, in each direction.
        num_layers: Recurrent layers; 0 looks at each word by itself.
        embedding_size: Numbers that stand for a word.
        dropout: Share of the entries of words' vectors and of the encoder's outputs that are dropped.
        word_dropout: How easily a word is hidden in training: one seen n times with the probability
            word_dropout / (word_dropout + n), so that the model learns what an unknown word means.
        min_count: Words that train has fewer times than this are unknown words.
        longest: Most words of a key term.
    """

    extraction: Literal["tags", "attention"] = "tags"
    cell: CellName = "lstm"
    cell_options: dict[str, Any] = field(default_factory=dict)
    hidden_size: int = 128
    num_layers: int = 1
    embedding_size: int = 128
    dropout: float = 0.5
    word_dropout: float = 1.0
    min_count: int = 1
    longest: int = 5

    def __post_init__(self) -> None:
        for name, least in (
            ("hidden_size", 1),
            ("num_layers", 0),
            ("embedding_size", 1),
            ("min_count", 1),
            ("longest", 1),
        ):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted {least} or more")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout is {self.dropout}, wanted 0 ≤ dropout < 1")
        if self.word_dropout < 0:
            raise UsageError(f"word_dropout is {self.word_dropout}, wanted 0 or more")
