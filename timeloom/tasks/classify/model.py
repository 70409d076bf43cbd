"""The classifier: a text or a series of vectors in, one label or several for the whole out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.core import ModelError, Padded, ShapeError, UsageError
from timeloom.data import UNKNOWN, Example, Tokenizer, Vocabulary, evaluation_batches
from timeloom.layers import Pooling, Recurrent, cell_named, evaluating, speller_of, spelt
from timeloom.tasks.classify.batch import Batch
from timeloom.tasks.classify.mixture import Mixture
from timeloom.tasks.classify.ngrams import Grams, NGrams
from timeloom.tasks.classify.options import ClassifierOptions


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
    """Vectors of symbols → recurrent encoder → pooling → dropout → a score for every label; of texts read as words also
    scores of their n-grams, mixed with these.

    Its constructor's arguments are what `config.json` holds under their names.

    Args:
        model: The options.
        labels: The labels, L of them.
        tokenizer: Of texts; None for series of vectors.
        features: D, of series of vectors; 0 for texts.
        several: Whether an example may have several labels, each with a probability of its own, or none.
        letters: The letters that words are spelt with, `<pad>` and `<unk>` first; none where words are not spelt.
        ngrams: How many n-grams have scores; 0 for none.
    """

    def __init__(
        self,
        model: ClassifierOptions | dict[str, Any],
        labels: Sequence[str],
        tokenizer: Tokenizer | dict[str, Any] | None = None,
        features: int = 0,
        several: bool = False,
        letters: Sequence[str] = (),
        ngrams: int = 0,
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
        self.letters = Vocabulary(tuple(letters))
        self.speller = None
        if letters:
            sizes = model.character_embedding_size, model.character_hidden_size
            self.speller = speller_of(model.characters, len(letters), *sizes, model.cell)
        width += 0 if self.speller is None else self.speller.output_size
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
        self.ngrams: NGrams | None = None
        self.mixture: Mixture | None = None
        if ngrams:
            self.add_ngrams(NGrams(ngrams, len(self.labels)))

    def add_ngrams(self, ngrams: NGrams) -> None:
        """Take scores of n-grams beside those of the recurrent net."""
        self.ngrams, self.mixture = ngrams, Mixture(self.several)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON, but for `task`."""
        return {
            "model": asdict(self.options),
            "labels": list(self.labels),
            "tokenizer": None if self.tokenizer is None else self.tokenizer.config(),
            "features": self.features,
            "several": self.several,
            "letters": list(self.letters.symbols),
            "ngrams": 0 if self.ngrams is None else len(self.ngrams.hashes),
        }

    def encode(self, examples: Sequence[Example], *, grams: bool = True) -> Batch:
        """Turn examples into a batch, with the labels that the model knows; a text without any symbol is one unknown
        symbol. Training has no need of the n-grams. Raises ShapeError for series of another width."""
        batch = Batch(Padded.from_list([self.encode_content(one) for one in examples]), self.label_table(examples))
        texts = [str(one.content) for one in examples] if self.tokenizer is not None else []
        if self.speller is not None:
            words = [self.words_of(text, cased=True) or [UNKNOWN] for text in texts]
            batch.spellings, batch.spelling = spelt(words, self.letters.ids, self.letters.ids[UNKNOWN])
        if self.ngrams is not None and grams:
            batch.grams = Grams.of([self.ngrams.encode(self.words_of(text)) for text in texts])
        return batch

    def label_table(self, examples: Sequence[Example]) -> Tensor:
        """Which of the labels each example has (N, L), as 0 and 1."""
        labels = torch.zeros(len(examples), len(self.labels))
        for row, example in enumerate(examples):
            for label in example.labels:
                if label in self.labels:
                    labels[row, self.labels.index(label)] = 1
        return labels

    def words_of(self, text: str, *, cased: bool = False) -> list[str]:
        """The words of a text as the model reads them, or `cased` as they are written."""
        assert self.tokenizer is not None
        words = self.tokenizer.written(text)
        if not cased or not self.tokenizer.lowercase:
            return words
        written = replace(self.tokenizer, lowercase=False).written(text)
        return written if len(written) == len(words) else words  # a few letters become two in lower case

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

    def vectors(self, batch: Batch) -> Tensor:
        """What the encoder reads: (B, T, W)."""
        if self.embedding is None:
            return (batch.content.data - self.mean) / self.deviation
        symbols = batch.content.data
        if self.training and self.options.word_dropout:
            gone = torch.rand(symbols.shape, device=symbols.device) < self.options.word_dropout
            symbols = symbols.masked_fill(gone, self.hidden)
        if self.speller is None:
            return self.embedding(symbols)
        if batch.spellings is None or batch.spelling is None:
            raise UsageError("Classifier: the batch has no spellings; wanted one that Classifier.encode made")
        return torch.cat([self.embedding(symbols), self.speller(batch.spellings)[batch.spelling]], -1)

    def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """What the encoder makes of every step: (B, T, H)."""
        encoded, _ = self.encoder(F.dropout(vectors, self.options.dropout, self.training), lengths=lengths)
        return encoded

    def scores_of(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """What the recurrent net alone says of the labels: (B, L)."""
        pooled = F.dropout(self.pooling(encoded, lengths), self.options.dropout, self.training)
        return self.output(pooled)

    def recurrent_scores(self, batch: Batch) -> Tensor:
        lengths = batch.content.lengths
        return self.scores_of(self.read(self.vectors(batch), lengths), lengths)

    def mixed(self, scores: Tensor, batch: Batch) -> Tensor:
        """Scores of the recurrent net (B, L) and of the batch's n-grams as one; without n-grams the former alone."""
        if self.ngrams is None or self.mixture is None:
            return scores
        if batch.grams is None:
            raise UsageError("Classifier: the batch has no n-grams; wanted one that Classifier.encode made")
        return self.mixture(scores, self.ngrams(batch.grams))

    def forward(self, batch: Batch) -> Tensor:
        """Scores of every label: (B, L)."""
        return self.mixed(self.recurrent_scores(batch), batch)

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy of the labels, in nats an example; of several labels, summed over them. It is the
        recurrent net's: what n-grams say has been learned before.

        Where there is one label, an example without a known one counts for nothing.
        """
        if batch.labels is None:
            raise UsageError("Classifier.loss: the batch has no labels")
        scores = self.recurrent_scores(batch)
        labels = batch.labels.to(scores)
        if self.several:
            return F.binary_cross_entropy_with_logits(scores, labels, reduction="sum") / len(labels)
        return -(scores.log_softmax(-1) * labels).sum() / labels.sum().clamp(min=1)

    @torch.inference_mode()
    def weigh(self, examples: Sequence[Example], batch_size: int = 64) -> None:
        """Weigh the recurrent net and the n-grams against each other by held-out examples; with no n-grams nothing."""
        if self.ngrams is None or self.mixture is None:
            return
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        with evaluating(self):
            for rows in evaluation_batches([len(one.content) for one in examples], batch_size):
                batch = self.encode([examples[row] for row in rows]).to(self.output.weight.device)
                assert batch.grams is not None
                assert batch.labels is not None
                found.append((self.recurrent_scores(batch), self.ngrams(batch.grams), batch.labels))
        recurrent, ngrams, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
        if recurrent.isfinite().all():  # else training says what became of the weights
            self.mixture.fit(recurrent, ngrams, labels)

    @torch.inference_mode()
    def probabilities(self, examples: Sequence[Example | str], batch_size: int = 64) -> Tensor:
        """How likely each label is for each example: (N, L); rows sum to 1 unless there may be several labels.

        Raises UsageError where one text is given in the place of a list of texts.
        """
        given = as_examples(examples)
        found = torch.zeros(len(given), len(self.labels))
        with evaluating(self):
            for rows in evaluation_batches([len(one.content) for one in given], batch_size):
                batch = self.encode([given[row] for row in rows]).to(self.output.weight.device)
                scores = self(batch)
                if not scores.isfinite().all():
                    raise ModelError("the scores are not numbers: the weights of this model are damaged")
                found[rows] = (scores.sigmoid() if self.several else scores.softmax(-1)).float().cpu()
        return found

    def classify(self, examples: Sequence[Example | str], batch_size: int = 64) -> list[tuple[str, ...]]:
        """The labels of each example: the likeliest one, or where there may be several those likelier than not."""
        return [self.chosen(chances) for chances in self.probabilities(examples, batch_size)]

    def chosen(self, chances: Tensor) -> tuple[str, ...]:
        """The labels that probabilities (L,) speak for."""
        if self.several:
            return tuple(label for label, chance in zip(self.labels, chances.tolist(), strict=True) if chance > 0.5)
        return (self.labels[int(chances.argmax())],)
