"""The language model: symbols in, recurrent layers, a distribution over the next symbol out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.core import UsageError
from timeloom.data import EOS, Tokenizer
from timeloom.layers import Recurrent, cell_named, detached, large_cross_entropy
from timeloom.tasks.language.options import LanguageOptions

NOTHING = -100  # a target that counts for nothing


@dataclass
class Slice:
    """A window of B streams: what is read, what should come next, and where the state comes from and goes to."""

    symbols: Tensor  # (B, T) ids
    targets: Tensor  # (B, T) ids, NOTHING where none is scored
    state: tuple[Any, ...] | None = None  # before the first step; None is the initial state
    carry: int = 0  # the state before this step goes on to the next window
    after: tuple[Any, ...] | None = None  # that state, once the window was read

    def to(self, device: torch.device | str) -> Slice:
        state = None if self.state is None else tuple(type(p)(*(f.to(device) for f in p)) for p in self.state)
        return Slice(self.symbols.to(device), self.targets.to(device), state, self.carry)


class LanguageModel(nn.Module):
    """A recurrent language model: vectors of symbols → recurrent layers → scores of every next symbol.

    Its constructor's arguments are what `config.json` holds under their names. Shapes: symbols (B, T) → what the
    layers make of them (B, T, H) → log-probabilities (B, T, V).

    Sources: Mikolov et al. 2010; of dropout between layers Zaremba, Sutskever and Vinyals 2014 (arXiv:1409.2329); of
    tied weights Press and Wolf 2017 (arXiv:1608.05859); of locked and weight dropout Merity, Keskar and Socher 2018
    (arXiv:1708.02182); of the adaptive softmax Grave et al. 2017 (arXiv:1609.04309).
    """

    def __init__(
        self,
        model: LanguageOptions | dict[str, Any],
        tokenizer: Tokenizer | dict[str, Any],
        task: Literal["language"] = "language",
    ):
        super().__init__()
        if task != "language":
            raise UsageError(f"LanguageModel: the task is {task!r}, wanted 'language'")
        model = LanguageOptions(**model) if isinstance(model, dict) else model  # a dict is what config.json has
        self.options = model
        self.tokenizer = Tokenizer.of(tokenizer) if isinstance(tokenizer, dict) else tokenizer
        size = len(self.tokenizer.vocabulary)
        self.embedding = nn.Embedding(size, model.embedding_size)
        reach = math.sqrt(3 / model.embedding_size)  # vectors of length 1, whatever their size
        nn.init.uniform_(self.embedding.weight, -reach, reach)
        self.layers = Recurrent(
            cell_named(model.cell, model.embedding_size, model.hidden_size, model.cell_options),
            model.num_layers,
            dropout=0.0 if model.locked else model.dropout,
            locked_dropout=model.dropout if model.locked else 0.0,
            recurrent_dropout=model.recurrent_dropout,
            weight_dropout=model.weight_dropout,
        )
        width = self.layers.output_size
        self.adaptive, self.bias, self.weight = None, None, None
        if model.adaptive_cutoffs:
            if model.adaptive_cutoffs[-1] >= size:
                raise UsageError(
                    f"adaptive_cutoffs are {model.adaptive_cutoffs}, wanted numbers below that of the symbols, {size}"
                )
            if width < 4 ** len(model.adaptive_cutoffs):
                raise UsageError(
                    f"adaptive_cutoffs are {model.adaptive_cutoffs}; each cluster has a fourth of the width before it, "
                    f"and of {width} units nothing is left for the last"
                )
            self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(width, size, model.adaptive_cutoffs)
        else:
            self.bias = nn.Parameter(torch.zeros(size))
            if not model.tied:
                self.weight = nn.Parameter(torch.empty(size, width).uniform_(-1, 1) / math.sqrt(width))
        narrower = model.tied and width != model.embedding_size
        self.projection = nn.Linear(width, model.embedding_size, bias=False) if narrower else None

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON, but for `task`."""
        return {"model": asdict(self.options), "tokenizer": self.tokenizer.config()}

    def read(self, symbols: Tensor, state: tuple[Any, ...] | None = None) -> tuple[Tensor, tuple[Any, ...]]:
        """What the layers make of symbols (B, T): (B, T, H), and the states after the last."""
        vectors = self.embedding(symbols)
        if not self.options.locked:
            vectors = F.dropout(vectors, self.options.dropout, self.training)  # the layers lock their own
        return self.layers(vectors, state)

    def ready(self, encoded: Tensor) -> Tensor:
        """What the layers emitted (..., H), dropped and projected as the scores want it."""
        rate = self.options.dropout
        if self.options.locked and self.training and rate and encoded.dim() == 3:
            encoded = encoded * F.dropout(encoded.new_ones(len(encoded), 1, encoded.shape[-1]), rate)
        elif not self.options.locked:
            encoded = F.dropout(encoded, rate, self.training)
        return encoded if self.projection is None else self.projection(encoded)

    def log_probabilities(self, encoded: Tensor) -> Tensor:
        """Of every next symbol, in nats, from what the layers emitted (N, H): (N, V)."""
        ready = self.ready(encoded)
        if self.adaptive is not None:
            return self.adaptive.log_prob(ready)
        return self.scores(ready).log_softmax(-1)

    def scores(self, ready: Tensor) -> Tensor:
        return F.linear(ready, self.vectors, self.bias)

    @property
    def vectors(self) -> Tensor:
        """What the next symbol's scores are taken with: (V, E) or (V, H)."""
        return self.embedding.weight if self.weight is None else self.weight

    def surprise(self, encoded: Tensor, targets: Tensor) -> Tensor:
        """The nats of every target that counts, (N,), from what the layers emitted (B, T, H) and targets (B, T)."""
        counted = targets != NOTHING
        ready = self.ready(encoded)
        whole = bool(counted.all())
        ready, targets = (ready.flatten(0, 1), targets.flatten()) if whole else (ready[counted], targets[counted])
        if self.adaptive is not None:
            return -self.adaptive(ready, targets).output
        return F.cross_entropy(self.scores(ready), targets, reduction="none")

    def loss(self, window: Slice) -> Tensor:
        """The mean over the scored symbols of a window, in nats. Leaves in the window the state that goes on."""
        encoded, window.after = self.read_window(window)
        if self.bias is None:
            return self.surprise(encoded, window.targets).mean()
        counted = window.targets != NOTHING
        return large_cross_entropy(self.ready(encoded)[counted], self.vectors, self.bias, window.targets[counted])

    def read_window(self, window: Slice) -> tuple[Tensor, Any]:
        """What the layers make of the window (B, T, H), and the state before its step `carry`, without gradient."""
        steps, carry = window.symbols.shape[1], window.carry
        if not 0 < carry < steps:
            encoded, after = self.read(window.symbols, window.state)
            return encoded, detached(after) if carry else window.state
        before, between = self.read(window.symbols[:, :carry], window.state)
        rest, _ = self.read(window.symbols[:, carry:], between)
        return torch.cat([before, rest], 1), detached(between)

    def begin(self) -> int | None:
        """The symbol that stands before a text: an end of a line. None where there is no such symbol."""
        if EOS in self.tokenizer.vocabulary:
            return self.tokenizer.vocabulary.ids[EOS]
        ends = self.tokenizer.encode("\n") if not self.tokenizer.unknown("\n") else []
        return ends[0] if len(ends) == 1 else None
