"""What can be said about a language model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from timeloom.cells import CellName
from timeloom.core import UsageError
from timeloom.data import TextOptions
from timeloom.train import TrainingOptions

# What trains language models well where tagging wants another: small steps for long, cut gradients short.
LANGUAGE_TEXT = TextOptions(level="char")
LANGUAGE_TRAINING = TrainingOptions(epochs=20, batch_size=32, learning_rate=2e-3, schedule="cosine", clip_norm=1.0)


@dataclass(frozen=True)
class LanguageOptions:
    """The language model.

    Args:
        cell: The recurrence; `timeloom cells` says what they are.
        cell_options: What the cell takes besides, as in {"context_size": 40} for scrn.
        hidden_size: Units of each layer.
        num_layers: Recurrent layers, one on another.
        embedding_size: Numbers that stand for a symbol.
        tied: Score the next symbol with the vectors that stand for the symbols. Where the layers are not as wide as
            these, one more product leads from the one to the other.
        adaptive_cutoffs: Numbers of symbols, most frequent first, at which the adaptive softmax begins a new, cheaper
            cluster, as in [2000, 10000]; for vocabularies of many thousands.
        dropout: Share of the entries that are dropped of symbols' vectors, between layers, and before the scores.
        locked: Drop the same entries in all steps of a window.
        recurrent_dropout: Share of the state's entries that the recurrence does not see, the same ones at every step.
        weight_dropout: Share of the recurrent weights that are dropped, the same ones at every step.
    """

    cell: CellName = "lstm"
    cell_options: dict[str, Any] = field(default_factory=dict)
    hidden_size: int = 200
    num_layers: int = 2
    embedding_size: int = 200
    tied: bool = True
    adaptive_cutoffs: list[int] = field(default_factory=list)
    dropout: float = 0.25
    locked: bool = False
    recurrent_dropout: float = 0.0
    weight_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("hidden_size", "num_layers", "embedding_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        for name in ("dropout", "recurrent_dropout", "weight_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, wanted 0 ≤ {name} < 1")
        cutoffs = self.adaptive_cutoffs
        if cutoffs and (min(cutoffs) < 1 or cutoffs != sorted(set(cutoffs))):
            raise UsageError(f"adaptive_cutoffs are {cutoffs}, wanted numbers from 1 on, each larger than the last")
        if cutoffs and self.tied:
            raise UsageError(
                "adaptive_cutoffs give rare symbols short vectors, so they cannot be tied to those that are read; "
                "add --no_tied"
            )
