"""The classifier: a text or a series of vectors in, one label or several for the whole out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.core import ModelError, Padded, ShapeError, UsageError
from timeloom.data import UNKNOWN, Example, Tokenizer, evaluation_batches
from timeloom.layers import Pooling, Recurrent, cell_named
from timeloom.tasks.classify.options import ClassifierOptions


@dataclass
class Batch:
    """B texts as numbers (B, T), or series (B, T, D); and which of the L labels each has (B, L), as 0 and 1."""

    content: Padded
    labels: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        return Batch(self.content.to(device), None if self.labels is None else self.labels.to(device))


def as_examples(examples: Sequence[Example | str]) -> list[Example]:
    """The examples as such, which is a text alone where it is no list of them."""
    if isinstance(examples, str | bytes | Example):
        came = "an Example" if isinstance(examples, Example) else shortened(examples)
        raise UsageError(f"one text came, {came}; wanted a list of texts.\n  Put it in brackets: classify([text]).")
    given = list(examples)
    if strange := [one for one in given if not isinstance(one, str | Example)]:
        raise UsageError(
            f"a {type(strange[0]).__name__} came among the examples; wanted texts or Examples.\n"
            "  Give a series as timeloom.data.Example(series), in a list."
        )
    return [Example(one) if isinstance(one, str) else one for one in given]


def shortened(text: str | bytes) -> str:
    return repr(text if len(text) <= 40 else text[:40]) + "..." * (len(text) > 40)


class Classifier(nn.Module):
    """Vectors of symbols → recurrent encoder → pooling → dropout → a score for every label.

    Its constructor's arguments are what `config.json` holds under their names.

    Args:
        model: The options.
        labels: The labels, L of them.
        tokenizer: Of texts; None for series of vectors.
        features: D, of series of vectors; 0 for texts.
        several: Whether an example may have several labels, each with a probability of its own, or none.
    """

    def __init__(
        self,
        model: ClassifierOptions | dict[str, Any],
        labels: Sequence[str],
        tokenizer: Tokenizer | dict[str, Any] | None = None,
        features: int = 0,
        several: bool = False,
        task: Literal["classify"] = "classify",
    ):
        super().__init__()
        if task != "classify":
            raise UsageError(f"Classifier: the task is {task!r}, wanted 'classify'")
        if (tokenizer is None) == (features == 0):
            raise UsageError("Classifier: wanted a tokenizer for texts, or the number of features for series")
        model = ClassifierOptions(**model) if isinstance(model, dict) else model  # a dict is what config.json has
        self.options, self.labels, self.features, self.several = model, tuple(labels), features, several
        self.tokenizer = Tokenizer.of(tokenizer) if isinstance(tokenizer, dict) else tokenizer
        self.embedding, width = None, features
        if self.tokenizer is not None:
            width = model.embedding_size
            self.embedding = nn.Embedding(len(self.tokenizer.vocabulary), width, padding_idx=0)
            with torch.no_grad():
                self.embedding.weight.div_(math.sqrt(width))  # vectors of length 1 or so, whatever their size
        # What series are measured by; texts have no use for them.
        self.mean, self.deviation = nn.Buffer(torch.zeros(features)), nn.Buffer(torch.ones(features))
        self.encoder = Recurrent(
            cell_named(model.cell, width, model.hidden_size, model.cell_options),
            model.num_layers,
            model.bidirectional,
            model.dropout,
            recurrent_dropout=model.recurrent_dropout,
        )
        self.pooling = Pooling(model.pooling, self.encoder.output_size, model.bidirectional)
        self.output = nn.Linear(self.encoder.output_size, len(self.labels))

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON, but for `task`."""
        return {
            "model": asdict(self.options),
            "labels": list(self.labels),
            "tokenizer": None if self.tokenizer is None else self.tokenizer.config(),
            "features": self.features,
            "several": self.several,
        }

    def encode(self, examples: Sequence[Example]) -> Batch:
        """Turn examples into a batch, with the labels that the model knows; a text without any symbol is one unknown
        symbol. Raises ShapeError for series of another width."""
        contents = [self.encode_content(example) for example in examples]
        labels = torch.zeros(len(examples), len(self.labels))
        for row, example in enumerate(examples):
            for label in example.labels:
                if label in self.labels:
                    labels[row, self.labels.index(label)] = 1
        return Batch(Padded.from_list(contents), labels)

    def encode_content(self, example: Example) -> Tensor:
        if self.tokenizer is None:
            if isinstance(example.content, str):
                raise UsageError("this classifier reads series of vectors, and a text came")
            series = torch.from_numpy(np.asarray(example.content, np.float32))
            if series.dim() != 2 or series.shape[1] != self.features or not len(series):
                raise ShapeError(f"a series is {tuple(series.shape)}, wanted (T > 0, D={self.features})")
            return series
        if not isinstance(example.content, str):
            raise UsageError(
                "this classifier reads texts, and a series of vectors came; --format lines reads lines of numbers as "
                "texts"
            )
        return torch.tensor(self.tokenizer.encode(example.content) or [self.hidden], dtype=torch.long)

    @property
    def hidden(self) -> int:
        """The symbol that stands for a hidden word: `<unk>`, or the padding where nothing is unknown."""
        return 0 if self.tokenizer is None else self.tokenizer.vocabulary.ids.get(UNKNOWN, 0)

    def vectors(self, content: Padded) -> Tensor:
        """What the encoder reads: (B, T, E)."""
        if self.embedding is None:
            return (content.data - self.mean) / self.deviation
        symbols = content.data
        if self.training and self.options.word_dropout:
            gone = torch.rand(symbols.shape, device=symbols.device) < self.options.word_dropout
            symbols = symbols.masked_fill(gone, self.hidden)
        return self.embedding(symbols)

    def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """What the encoder makes of every step: (B, T, H)."""
        encoded, _ = self.encoder(F.dropout(vectors, self.options.dropout, self.training), lengths=lengths)
        return encoded

    def scores_of(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        pooled = F.dropout(self.pooling(encoded, lengths), self.options.dropout, self.training)
        return self.output(pooled)

    def forward(self, batch: Batch) -> Tensor:
        """Scores of every label: (B, L)."""
        lengths = batch.content.lengths
        return self.scores_of(self.read(self.vectors(batch.content), lengths), lengths)

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy of the labels, in nats an example; of several labels, summed over them.

        Where there is one label, an example without a known one counts for nothing.
        """
        if batch.labels is None:
            raise UsageError("Classifier.loss: the batch has no labels")
        scores = self(batch)
        labels = batch.labels.to(scores)
        if self.several:
            return F.binary_cross_entropy_with_logits(scores, labels, reduction="sum") / len(labels)
        return -(scores.log_softmax(-1) * labels).sum() / labels.sum().clamp(min=1)

    @torch.inference_mode()
    def probabilities(self, examples: Sequence[Example | str], batch_size: int = 64) -> Tensor:
        """How likely each label is for each example: (N, L); rows sum to 1 unless there may be several labels.

        Raises UsageError where one text is given in the place of a list of texts.
        """
        given = as_examples(examples)
        found = torch.zeros(len(given), len(self.labels))
        was_training = self.training
        self.eval()
        try:
            contents = [self.encode_content(example) for example in given]
            for rows in evaluation_batches([len(content) for content in contents], batch_size):
                batch = Batch(Padded.from_list([contents[row] for row in rows])).to(self.output.weight.device)
                scores = self(batch)
                if not scores.isfinite().all():
                    raise ModelError("the scores are not numbers: the weights of this model are damaged")
                found[rows] = (scores.sigmoid() if self.several else scores.softmax(-1)).float().cpu()
        finally:
            self.train(was_training)
        return found

    def classify(self, examples: Sequence[Example | str], batch_size: int = 64) -> list[tuple[str, ...]]:
        """The labels of each example: the likeliest one, or where there may be several those likelier than not."""
        return [self.chosen(chances) for chances in self.probabilities(examples, batch_size)]

    def chosen(self, chances: Tensor) -> tuple[str, ...]:
        """The labels that probabilities (L,) speak for."""
        if self.several:
            return tuple(label for label, chance in zip(self.labels, chances.tolist(), strict=True) if chance > 0.5)
        return (self.labels[int(chances.argmax())],)
