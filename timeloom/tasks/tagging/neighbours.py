"""A second thing to learn from every sentence: which word comes next, and which came before."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from timeloom.core import Padded


class Neighbours(nn.Module):
    """Each direction of the encoder foretells the word that it has not read yet, and so learns what words do.

    Only training asks for it. Source: Rei 2017, Semi-supervised Multitask Learning for Sequence Labeling,
    arXiv:1704.07156.

    Args:
        encoded: Units of the encoder, the first half of which reads forwards and the second backwards, in one layer.
        words: Different words, the most frequent first, after the specials.
        unknown: The number of the word that stands for all that are too rare.
        most: Words that are told apart.
        size: Units between the encoder and the words.
    """

    def __init__(self, encoded: int, words: int, unknown: int, most: int = 7500, size: int = 50):
        super().__init__()
        self.unknown, self.most = unknown, min(words, most)
        self.next, self.previous = (
            nn.Sequential(nn.Linear(encoded // 2, size), nn.Tanh(), nn.Linear(size, self.most)) for _ in range(2)
        )

    def loss(self, encoded: Tensor, words: Padded) -> Tensor:
        """Cross-entropy in nats, of both directions together, for each word: encoded (B, T, 2H), words (B, T)."""
        known = words.data.masked_fill(words.data >= self.most, self.unknown)
        forward, backward = encoded.chunk(2, dim=-1)
        later = words.mask()[:, 1:]  # steps with a word before them
        ahead = F.cross_entropy(self.next(forward[:, :-1][later]), known[:, 1:][later], reduction="sum")
        behind = F.cross_entropy(self.previous(backward[:, 1:][later]), known[:, :-1][later], reduction="sum")
        return (ahead + behind) / words.lengths.sum().clamp(min=1)
