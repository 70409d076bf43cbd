"""The hybrid of network and hidden Markov model, against counts by hand and enumeration."""

from __future__ import annotations

import itertools

import pytest
import torch

from timeloom.core import UsageError
from timeloom.structured import HMMHybrid, tag_rules

PATHS = [torch.tensor([0, 1, 1]), torch.tensor([2]), torch.tensor([0, 0, 2, 2])]


def counted(smoothing: float = 1e-9) -> HMMHybrid:
    hybrid = HMMHybrid(3, smoothing=smoothing).double()
    hybrid.count(PATHS)
    return hybrid


def test_counts_are_shares() -> None:
    hybrid = counted()
    transitions, start, end = (scores.exp() for scores in hybrid.scores())
    torch.testing.assert_close(start, torch.tensor([2 / 3, 0, 1 / 3], dtype=torch.float64), atol=1e-6, rtol=0)
    wanted = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0, 1 / 2, 0], [0, 0, 1 / 3]], dtype=torch.float64)
    torch.testing.assert_close(transitions, wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(end, torch.tensor([0, 1 / 2, 2 / 3], dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(hybrid.priors, torch.tensor([3, 2, 3], dtype=torch.float64) / 8)
    for smoothing in (0.1, 2.0):  # leaving a tag, or ending with it, is certain whatever was added
        transitions, _, end = (scores.exp() for scores in counted(smoothing).scores())
        torch.testing.assert_close(transitions.sum(1) + end, torch.ones(3, dtype=torch.float64))


def test_decoding_is_bayes_rule_over_all_paths() -> None:
    torch.manual_seed(0)
    hybrid = counted(0.5)
    scores = torch.randn(1, 4, 3, dtype=torch.float64)
    posteriors = scores[0].softmax(-1)
    transitions, start, end = (part.exp() for part in hybrid.scores())

    def worth(path: tuple[int, ...]) -> float:
        chain = float(start[path[0]] * end[path[-1]])
        for i, j in itertools.pairwise(path):
            chain *= float(transitions[i, j])
        for t, k in enumerate(path):
            chain *= float(posteriors[t, k] / hybrid.priors[k])
        return chain

    best = max(itertools.product(range(3), repeat=4), key=worth)
    path, score = hybrid.chain(scores).best_path()
    assert tuple(path[0].tolist()) == best
    assert score.exp().item() == pytest.approx(worth(best))


def test_training_is_cross_entropy_of_the_real_steps() -> None:
    scores, tags = torch.randn(2, 3, 3), torch.tensor([[0, 1, 2], [2, -100, -100]])
    chances = scores.log_softmax(-1)
    by_hand = -(chances[0, 0, 0] + chances[0, 1, 1] + chances[0, 2, 2] + chances[1, 0, 2]) / 4
    torch.testing.assert_close(HMMHybrid(3).loss(scores, tags, torch.tensor([3, 1])), by_hand)
    assert not any(parameter.requires_grad for parameter in HMMHybrid(3).parameters())


def test_rules_bind_the_counts() -> None:
    hybrid = HMMHybrid(3, tag_rules(["B-x", "I-x", "O"]))
    hybrid.count([torch.tensor([2, 0, 1])])
    transitions, start, _ = hybrid.scores()
    assert transitions[2, 1] == -torch.inf
    assert start[1] == -torch.inf
    hybrid = HMMHybrid(3, tag_rules(["B-x", "I-x", "O"]), smoothing=1.0)
    hybrid.count([torch.tensor([2, 0, 1]), torch.tensor([2, 2])])
    transitions, start, end = (scores.exp() for scores in hybrid.scores())
    torch.testing.assert_close(transitions.sum(1) + end, torch.ones(3))  # what may not be has no share
    torch.testing.assert_close(start.sum(), torch.tensor(1.0))
    with pytest.raises(UsageError, match="no path to count"):
        hybrid.count([])
    with pytest.raises(UsageError, match="path 0 has states between 0 and 3"):
        hybrid.count([torch.tensor([0, 3])])
    with pytest.raises(UsageError, match="smoothing is 0"):
        HMMHybrid(3, smoothing=0)
