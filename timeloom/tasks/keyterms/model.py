"""The extractor of key terms: words in, a recurrent encoder, and for each word whether it belongs to a key term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.chain import Chain
from timeloom.core import ModelError, Padded, UsageError
from timeloom.data import UNKNOWN, Chunk, Document, Term, Vocabulary, chunks, evaluation_batches
from timeloom.layers import Pooling, Recurrent, cell_named
from timeloom.structured import CRF, tag_rules
from timeloom.tasks.keyterms.options import KeytermOptions
from timeloom.tasks.keyterms.spans import TAGS, ranked_terms, span_probabilities, tags_of

NO_TAG = -100


@dataclass
class Batch:
    """B documents of T words at most: their numbers, and the numbers of their tags, NO_TAG behind the end."""

    words: Padded
    tags: Tensor

    def to(self, device: torch.device | str) -> Batch:
        return Batch(self.words.to(device), self.tags.to(device))


@dataclass(frozen=True)
class Extracted:
    """What an extractor finds in a document: terms with their probabilities, likeliest first, and where the words are
    that it takes for terms."""

    terms: list[tuple[Term, float]]
    spans: list[Chunk]


class KeytermExtractor(nn.Module):
    """Vectors of words → recurrent encoder from both ends → scores of begin, inside and outside for every word.

    `tags` joins them by a conditional random field. `attention` lets each word see, beside its own encoding, that of
    the whole document, pooled by attention, and decides for each word by itself; only I after O is ruled out.

    Its constructor's arguments are what `config.json` holds under their names.
    """

    def __init__(
        self,
        model: KeytermOptions | dict[str, Any],
        vocabulary: Sequence[str],
        task: Literal["keyterms"] = "keyterms",
    ):
        super().__init__()
        if task != "keyterms":
            raise UsageError(f"KeytermExtractor: the task is {task!r}, wanted 'keyterms'")
        model = KeytermOptions(**model) if isinstance(model, dict) else model  # a dict is what config.json has
        self.options, self.words = model, Vocabulary(tuple(vocabulary))
        self.embedding = nn.Embedding(len(self.words), model.embedding_size, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight.div_(model.embedding_size**0.5)  # vectors of length 1 or so, whatever their size
        # How often training has each word; only training needs it, so it is not saved.
        self.counts: Tensor | None
        self.register_buffer("counts", None, persistent=False)
        self.encoder, width = None, model.embedding_size
        if model.num_layers:
            cell = cell_named(model.cell, model.embedding_size, model.hidden_size, model.cell_options)
            self.encoder = Recurrent(cell, model.num_layers, bidirectional=True, dropout=model.dropout)
            width = self.encoder.output_size
        self.pooling = Pooling("attention", width) if model.extraction == "attention" else None
        self.beside = nn.Linear(2 * width, width) if self.pooling is not None else None
        self.output = nn.Linear(width, len(TAGS))
        self.dependence = CRF(len(TAGS), tag_rules(TAGS))
        if model.extraction == "attention":
            for parameter in self.dependence.parameters():
                parameter.requires_grad_(False)  # what follows what is ruled, not learned

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON, but for `task`."""
        return {"model": asdict(self.options), "vocabulary": list(self.words.symbols)}

    def encode(self, documents: Sequence[Document]) -> Batch:
        """Turn documents of a word at least into a batch, with the tags of their key terms."""
        words = [torch.tensor(self.words.encode(word.lower() for word in one.words)) for one in documents]
        tags = [torch.tensor(tags_of(one)) for one in documents]
        return Batch(Padded.from_list(words), Padded.from_list(tags, padding_value=NO_TAG).data)

    def scores(self, words: Padded) -> Tensor:
        """Of every tag at every word: (B, T, 3)."""
        symbols = words.data
        if self.training and self.counts is not None and self.options.word_dropout:
            share = self.options.word_dropout / (self.options.word_dropout + self.counts[symbols])
            hidden = (torch.rand(symbols.shape, device=symbols.device) < share) & (symbols > 0)
            symbols = symbols.masked_fill(hidden, self.words.ids[UNKNOWN])
        encoded = F.dropout(self.embedding(symbols), self.options.dropout, self.training)
        if self.encoder is not None:
            encoded, _ = self.encoder(encoded, lengths=words.lengths)
            encoded = F.dropout(encoded, self.options.dropout, self.training)
        if self.pooling is not None and self.beside is not None:
            whole = self.pooling(encoded, words.lengths)[:, None].expand_as(encoded)
            encoded = torch.tanh(self.beside(torch.cat([encoded, whole], -1)))
        return self.output(encoded)

    def chain(self, words: Padded) -> Chain:
        """All ways to mark the words. Raises ModelError where the scores are not numbers."""
        scores = self.scores(words)
        if not scores.isfinite().all():
            raise ModelError("the scores are not numbers: the weights of this model are damaged")
        return self.dependence.chain(scores, words.lengths)

    def loss(self, batch: Batch) -> Tensor:
        """The mean over words of −log P(tags), in nats."""
        scores = self.scores(batch.words)
        if not scores.isfinite().all():
            return scores.sum()  # the training loop says what became of the loss, and what to do
        if self.options.extraction == "tags":
            return self.dependence.loss(scores, batch.tags, batch.words.lengths)
        return F.cross_entropy(scores.flatten(0, 1), batch.tags.flatten(), ignore_index=NO_TAG)

    @torch.inference_mode()
    def extract(self, documents: Sequence[Document], batch_size: int = 32) -> list[Extracted]:
        """The key terms of each document."""
        found = [Extracted([], []) for _ in documents]
        full = [number for number, one in enumerate(documents) if one.words]
        was_training = self.training
        self.eval()
        try:
            for rows in evaluation_batches([len(documents[n].words) for n in full], batch_size):
                chosen = [full[row] for row in rows]
                batch = self.encode([documents[n] for n in chosen]).to(self.output.weight.device)
                chain = self.chain(batch.words)
                chances = span_probabilities(chain, self.options.longest)
                paths, _ = chain.best_path()
                for row, number in enumerate(chosen):
                    words = documents[number].words
                    tags = [TAGS[tag] for tag in paths[row, : len(words)].tolist()]
                    found[number] = Extracted(ranked_terms(words, chances[row]), chunks(tags))
        finally:
            self.train(was_training)
        return found
