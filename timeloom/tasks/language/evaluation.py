"""How well a language model foresees a text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from timeloom.core import DataError, ModelError
from timeloom.data import EOS, UNKNOWN, pieces
from timeloom.tasks.language.data import Numbers
from timeloom.tasks.language.model import LanguageModel

READ_AT_ONCE = 1024  # steps; scores of 10,000 symbols for so many take 40 MB


@dataclass(frozen=True)
class TextScores:
    """The scores of one text.

    Attributes:
        nats: Of a symbol, on average.
        symbols: How many were predicted.
        unknown: How many of them are `<unk>` to the model: not known, or written so in the text.
        characters: Of those symbols; None where only its symbols were given.
    """

    nats: float
    symbols: int
    unknown: int = 0
    characters: int | None = None

    @property
    def bits(self) -> float:
        """Bits per symbol."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        return math.inf if self.nats >= 700 else math.exp(self.nats)

    def as_dict(self) -> dict[str, object]:
        per_character = {"bits_per_character": self.bits * self.symbols / self.characters} if self.characters else {}
        return {
            "nats": self.nats,
            "bits": self.bits,
            "perplexity": self.perplexity,
            "symbols": self.symbols,
            "unknown": self.unknown,
            **per_character,
        }

    def report(self) -> str:
        per_character = f"; {self.as_dict()['bits_per_character']:.4f} bits per character" if self.characters else ""
        unknown = f"; {self.unknown} count as {UNKNOWN}" if self.unknown else ""
        return (
            f"{self.symbols} symbols: {self.nats:.4f} nats and {self.bits:.4f} bits per symbol, perplexity "
            f"{self.perplexity:.4g}{per_character}{unknown}"
        )


def score_text(model: LanguageModel, numbers: Numbers) -> TextScores:
    """Read a text's symbols (N,) from its first to its last, with the state carried, and score all but the first."""
    return score_pieces(model, (numbers[at : at + READ_AT_ONCE] for at in range(0, len(numbers), READ_AT_ONCE)))


@torch.inference_mode()
def score_pieces(model: LanguageModel, some: Iterable[Numbers]) -> TextScores:
    """The same of a text that comes in pieces; memory stays flat."""
    nats, count, state, last = 0.0, 0, None, None
    device = model.embedding.weight.device
    for numbers in some:
        read = torch.from_numpy(np.concatenate([*([] if last is None else [last]), numbers]).astype(np.int64))
        last = numbers[-1:] if len(numbers) else last
        for at in range(0, len(read) - 1, READ_AT_ONCE):
            window = read[at : at + READ_AT_ONCE + 1].to(device)
            encoded, state = model.read(window[None, :-1], state)
            nats += float(model.surprise(encoded, window[None, 1:]).double().sum())
            count += len(window) - 1
    return TextScores(nats / max(1, count), count)


def evaluate_language_model(model: LanguageModel, path: str | Path) -> TextScores:
    """The scores of a language model on a text file of any size, with the state carried from its first symbol on.

    Where no end of a line is thought before the text, its first symbol is not foreseen, and counts nowhere. Raises
    ModelError where the scores are not numbers.
    """
    tokenizer, counted = model.tokenizer, {"characters": 0, "unknown": 0}
    foreseen = EOS in tokenizer.vocabulary  # the first symbol, too

    def numbers() -> Iterator[Numbers]:
        nonlocal foreseen
        if foreseen:
            yield np.array([model.begin()], np.int32)
        for text in pieces(path):
            found = np.array(tokenizer.encode(text), np.int32)
            counted["characters"] += len(text)
            counted["unknown"] += int((found == tokenizer.vocabulary.ids.get(UNKNOWN, -1)).sum())
            if not foreseen and len(found):
                counted["characters"] -= len(tokenizer.decode(found[:1].tolist()))
                counted["unknown"] -= int(found[0] == tokenizer.vocabulary.ids.get(UNKNOWN, -1))
                foreseen = True
            yield found

    scores = score_pieces(model, numbers())
    if not scores.symbols:
        raise DataError("has no text of which anything could be predicted", path)
    if math.isnan(scores.nats):
        raise ModelError(
            f"the model's scores of {path} are not numbers: its weights are damaged, or its state explodes"
        )
    return TextScores(scores.nats, scores.symbols, counted["unknown"], counted["characters"])
