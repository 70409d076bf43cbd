"""Foretelling the next word and the one before, against a loop over the words."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from timeloom.core import Padded, UsageError
from timeloom.data import UNKNOWN, Sentence
from timeloom.tasks.tagging import Tagger, TaggerOptions
from timeloom.tasks.tagging.neighbours import Neighbours

SMALL = TaggerOptions(
    hidden_size=6,
    embedding_size=5,
    dropout=0.0,
    word_dropout=0.0,
    output="softmax",
    characters="none",
    capitalisation=False,
)
WORDS = Padded(torch.tensor([[2, 5, 3, 4], [5, 0, 0, 0], [3, 2, 0, 0]]), torch.tensor([4, 1, 2]))


def test_each_direction_foretells_what_it_has_not_read() -> None:
    torch.manual_seed(0)
    neighbours = Neighbours(8, words=6, unknown=1, most=5, size=3).double()
    encoded = torch.randn(3, 4, 8, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for b, n in enumerate(WORDS.lengths.tolist()):
        words = [1 if w >= 5 else w for w in WORDS.data[b, :n].tolist()]  # 5 is too rare
        for t in range(n - 1):
            total -= neighbours.next(encoded[b, t, :4]).log_softmax(-1)[words[t + 1]]
            total -= neighbours.previous(encoded[b, t + 1, 4:]).log_softmax(-1)[words[t]]
    torch.testing.assert_close(neighbours.loss(encoded, WORDS), total / 7)


def test_a_batch_of_single_words_has_no_neighbours() -> None:
    neighbours = Neighbours(8, words=6, unknown=1)
    words = Padded(torch.tensor([[2], [3]]), torch.tensor([1, 1]))
    assert neighbours.loss(torch.randn(2, 1, 8), words).item() == 0


def test_it_counts_by_its_weight_in_training_and_not_in_the_scores() -> None:
    vocabulary = {"words": ["<pad>", UNKNOWN, "to", "Rome"], "tags": ["O", "B-x"], "characters": ["<pad>", UNKNOWN]}
    losses = []
    for weight in (0.1, 0.3):
        torch.manual_seed(0)
        tagger = Tagger(TaggerOptions(**{**vars(SMALL), "neighbours": weight}), vocabulary).eval()
        batch = tagger.encode([Sentence(("to", "Rome"), ("O", "B-x"))])
        assert tagger.neighbours is not None
        losses.append(tagger.loss(batch))
        ours = tagger.neighbours.loss(tagger.read(batch), batch.words)
    torch.testing.assert_close(losses[1] - losses[0], 0.2 * ours)
    torch.manual_seed(0)
    plain = Tagger(SMALL, vocabulary).eval()
    torch.testing.assert_close(plain(batch), tagger(batch))


def test_what_it_cannot_be_used_with() -> None:
    several: list[dict[str, Any]] = [{"num_layers": 2}, {"bidirectional": False}]
    for wrong in several:
        with pytest.raises(UsageError, match="each direction for itself"):
            TaggerOptions(neighbours=0.1, **wrong)
    with pytest.raises(UsageError, match="neighbours is -1"):
        TaggerOptions(neighbours=-1.0)
