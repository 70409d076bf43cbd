"""What letters say of a word: alone as in company, and against the plain sums."""

from __future__ import annotations

import pytest
import torch

from timeloom.cells import LSTMCell
from timeloom.core import Padded, UsageError
from timeloom.layers import ConvolutionalSpeller, RecurrentSpeller, Speller

WORDS = [torch.tensor([3, 1, 4]), torch.tensor([2]), torch.tensor([5, 1, 1, 2, 4])]


def spellers() -> list[Speller]:
    torch.manual_seed(0)
    return [RecurrentSpeller(6, LSTMCell(4, 5)).double(), ConvolutionalSpeller(6, 4, 7).double()]


@pytest.mark.parametrize("speller", spellers(), ids=["recurrent", "cnn"])
def test_a_word_is_read_alone_as_in_company(speller: Speller) -> None:
    together = speller(Padded.from_list(WORDS))
    assert together.shape == (3, speller.output_size)
    for row, word in enumerate(WORDS):
        torch.testing.assert_close(speller(Padded.from_list([word]))[0], together[row])


def test_convolutions_are_the_sums_they_should_be() -> None:
    speller = spellers()[1]
    assert isinstance(speller, ConvolutionalSpeller)
    weight, bias = speller.filters.weight, speller.filters.bias
    assert bias is not None
    word = torch.cat([torch.tensor([0]), WORDS[0], torch.tensor([0])])  # padding on either side
    vectors = speller.embedding(word)
    sums = [sum(weight[:, :, j] @ vectors[at + j] for j in range(3)) + bias for at in range(3)]
    wanted = torch.tanh(torch.stack([torch.as_tensor(one) for one in sums]).max(0).values)
    torch.testing.assert_close(speller(Padded.from_list(WORDS))[0], wanted)


def test_a_window_has_a_middle() -> None:
    with pytest.raises(UsageError, match="width is 2, wanted an odd number"):
        ConvolutionalSpeller(6, 4, 7, width=2)


def test_recurrence_ends_where_the_word_ends() -> None:
    speller = spellers()[0]
    assert isinstance(speller, RecurrentSpeller)
    read, _ = speller.reader(speller.embedding(WORDS[0])[None])
    wanted = torch.cat([read[0, -1, :5], read[0, 0, 5:]])
    torch.testing.assert_close(speller(Padded.from_list(WORDS))[0], wanted)
