"""What a word's letters say: (N, L) letters of N words → one vector a word (N, W)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from timeloom.core import Padded, UsageError
from timeloom.layers.pooling import Pooling
from timeloom.layers.recurrent import Recurrent
from timeloom.scan import Cell


class Speller(nn.Module, ABC):
    """Letters in, one vector of `output_size` numbers a word out.

    Args:
        letters: Different letters; number 0 is padding.
        embedding_size: Numbers that stand for a letter.
    """

    output_size: int

    def __init__(self, letters: int, embedding_size: int):
        super().__init__()
        self.embedding = nn.Embedding(letters, embedding_size, padding_idx=0)

    @abstractmethod
    def forward(self, spellings: Padded) -> Tensor:
        """Numbers of letters (N, L), each word a letter at least → (N, W)."""


class RecurrentSpeller(Speller):
    """The last state of a recurrent net from either end (Lample et al. 2016, arXiv:1603.01360).

    Args:
        letters: Different letters; number 0 is padding.
        cell: The recurrence; its input size is that of the letters' vectors. W is twice its output size.
    """

    def __init__(self, letters: int, cell: Cell):
        super().__init__(letters, cell.input_size)
        self.reader = Recurrent(cell, bidirectional=True)
        self.output_size = self.reader.output_size
        self.ends = Pooling("last", self.output_size, bidirectional=True)

    def forward(self, spellings: Padded) -> Tensor:
        read, _ = self.reader(self.embedding(spellings.data), lengths=spellings.lengths)  # (N, L, 2 · O)
        return self.ends(read, spellings.lengths)


class ConvolutionalSpeller(Speller):
    """Filters over neighbouring letters, each at its maximum over the word (Ma and Hovy 2016, arXiv:1603.01354).

    Args:
        letters: Different letters; number 0 is padding.
        embedding_size: Numbers that stand for a letter.
        filters: W.
        width: Letters that a filter sees at once, an odd number.
    """

    def __init__(self, letters: int, embedding_size: int, filters: int, width: int = 3):
        super().__init__(letters, embedding_size)
        if width % 2 == 0:
            raise UsageError(f"ConvolutionalSpeller: width is {width}, wanted an odd number")
        self.filters = nn.Conv1d(embedding_size, filters, width, padding=width // 2)
        self.output_size = filters

    def forward(self, spellings: Padded) -> Tensor:
        found = self.filters(self.embedding(spellings.data).transpose(1, 2))  # (N, W, L)
        return torch.tanh(found.masked_fill(~spellings.mask()[:, None], -torch.inf).amax(-1))
