"""What a word's letters say: (N, L) letters of N words → one vector a word (N, W)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from timeloom.cells import CELLS, CellName
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


Spelling = Literal["none", "recurrent", "cnn"]


def speller_of(
    kind: Spelling, letters: int, embedding_size: int, hidden_size: int, cell: CellName = "lstm"
) -> Speller | None:
    """The net over letters that is asked for by name, with 2 · hidden_size numbers a word; `cell` is the recurrent
    one's."""
    match kind:
        case "none":
            return None
        case "cnn":
            return ConvolutionalSpeller(letters, embedding_size, 2 * hidden_size)
        case "recurrent":
            return RecurrentSpeller(letters, CELLS[cell](embedding_size, hidden_size))


def spelt(tokens: Sequence[Sequence[str]], number_of_letter: Mapping[str, int], unknown: int) -> tuple[Padded, Tensor]:
    """The letters of the different words (N, L), and which of the N each word is (B, T)."""
    numbers: dict[str, int] = {}
    rows = [torch.tensor([numbers.setdefault(w, len(numbers)) for w in s], dtype=torch.long) for s in tokens]
    # A word without letters, which no file has, is one letter that nobody knows.
    letters = [torch.tensor([number_of_letter.get(x, unknown) for x in word] or [unknown]) for word in numbers]
    return Padded.from_list(letters), Padded.from_list(rows).data
