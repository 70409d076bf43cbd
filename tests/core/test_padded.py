import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from tests.tolerances import assert_close
from timeloom.core import Padded, ShapeError, step_mask

lengths_lists = st.lists(st.integers(0, 6), min_size=1, max_size=5)


def batch(lengths: list[int], *features: int) -> Padded:
    return Padded(torch.randn(len(lengths), max(lengths), *features), torch.tensor(lengths))


@settings(deadline=None)
@given(lengths_lists, st.sampled_from([(), (3,), (2, 3)]))
def test_reverse_turns_each_sequence_and_twice_is_the_identity(lengths: list[int], features: tuple[int, ...]) -> None:
    padded = batch(lengths, *features)
    reversed_once = padded.reverse()
    for turned, sequence in zip(reversed_once.to_list(), padded.to_list(), strict=True):
        assert torch.equal(turned, sequence.flip(0))
    assert torch.equal(reversed_once.reverse().data, padded.data)  # the padding, too


@settings(deadline=None)
@given(lengths_lists)
def test_from_list_and_to_list_are_inverse(lengths: list[int]) -> None:
    sequences = [torch.randn(length, 2) for length in lengths]
    padded = Padded.from_list(sequences, padding_value=float("nan"))
    assert padded.lengths.tolist() == lengths
    assert len(padded) == len(lengths)
    assert padded.data.isnan().sum() == 2 * sum(max(lengths) - length for length in lengths)
    for found, sequence in zip(padded.to_list(), sequences, strict=True):
        assert torch.equal(found, sequence)


def test_pack_and_from_packed_are_inverse() -> None:
    sequences = [torch.randn(length, 2) for length in (2, 4, 3)]
    padded = Padded.from_list(sequences)
    assert_close(padded.pack().data, pack_sequence(sequences, enforce_sorted=False).data)
    again = Padded.from_packed(padded.pack())
    assert torch.equal(again.data, padded.data)
    assert torch.equal(again.lengths, padded.lengths)


def test_mask_says_what_is_real() -> None:
    assert batch([2, 0, 3]).mask().tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert step_mask(torch.tensor([0]), 0).shape == (1, 0)


def test_last_is_the_last_real_step() -> None:
    padded = batch([2, 1, 3], 2)
    assert torch.equal(padded.last(), torch.stack([sequence[-1] for sequence in padded.to_list()]))


def test_an_empty_batch_goes_through() -> None:
    empty = Padded(torch.randn(0, 3, 2), torch.zeros(0, dtype=torch.long))
    assert empty.reverse().data.shape == (0, 3, 2)
    assert empty.mask().shape == (0, 3)
    assert empty.to_list() == []


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([1]), r"Padded: lengths do not fit .*\n  lengths: \(1,\) of torch.int64, wanted \(B=2,\)"),
        (torch.tensor([1.0, 2.0]), r"lengths: \(2,\) of torch.float32, wanted \(B=2,\) of int64"),
        (torch.tensor([1, 4]), r"lengths lie between 1 and 4, but the batch has 3 steps.\n  wanted: 0 ≤ length ≤ T=3"),
        (torch.tensor([-1, 2]), r"lengths lie between -1 and 2"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths: torch.Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Padded(torch.randn(2, 3, 1), lengths)


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(ShapeError, match="no sequences came"):
        Padded.from_list([])
    with pytest.raises(ShapeError, match="sequence 1 has length 0"):
        batch([2, 0, 3]).last()
    with pytest.raises(ShapeError, match=r"the shape \(4,\), wanted \(B, T, ...\)"):
        Padded(torch.randn(4), torch.ones(4, dtype=torch.long))
