"""Batches: every index once, a pure function of the arguments, like lengths together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from timeloom.core import UsageError
from timeloom.data import epoch_batches, evaluation_batches

LENGTHS = st.lists(st.integers(0, 40), max_size=60)
SIZES = st.integers(1, 9)


@given(LENGTHS, SIZES, st.integers(1, 4), st.integers(0, 5))
def test_every_index_once_in_full_batches_but_one(lengths: list[int], size: int, pool: int, epoch: int) -> None:
    batches = epoch_batches(lengths, size, seed=1, epoch=epoch, pool=pool)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert sum(len(batch) != size for batch in batches) <= 1
    assert batches == epoch_batches(lengths, size, seed=1, epoch=epoch, pool=pool)


@given(LENGTHS, SIZES)
def test_evaluation_is_sorted(lengths: list[int], size: int) -> None:
    order = [index for batch in evaluation_batches(lengths, size) for index in batch]
    assert order == sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    assert all(len(batch) <= size for batch in evaluation_batches(lengths, size))


def test_epochs_and_seeds_differ() -> None:
    lengths = list(range(100))
    plans = {str(epoch_batches(lengths, 4, seed=seed, epoch=epoch)) for seed in range(4) for epoch in range(4)}
    assert len(plans) == 16


def test_another_pool_is_another_order() -> None:
    lengths = [index % 7 for index in range(100)]
    assert epoch_batches(lengths, 4, seed=1, epoch=0, pool=1) != epoch_batches(lengths, 4, seed=1, epoch=0, pool=25)


def test_like_lengths_go_together() -> None:
    """Padding of pooled batches stays under a tenth of what batches without pools have."""
    lengths = torch.randint(1, 50, (2000,), generator=torch.Generator().manual_seed(0)).tolist()

    def padding(batches: list[list[int]]) -> int:
        return sum(max(lengths[i] for i in b) * len(b) - sum(lengths[i] for i in b) for b in batches)

    pooled = padding(epoch_batches(lengths, 16, seed=1, epoch=0))
    assert pooled < padding(epoch_batches(lengths, 16, seed=1, epoch=0, pool=1)) / 10
    assert padding(evaluation_batches(lengths, 16)) <= pooled


def test_batches_do_not_come_in_order_of_length() -> None:
    lengths = list(range(400))
    first = [lengths[batch[0]] for batch in epoch_batches(lengths, 4, seed=1, epoch=0)]
    assert first != sorted(first)


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = epoch_batches(list(range(50)), 4, seed=1, epoch=0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert epoch_batches(list(range(50)), 4, seed=1, epoch=0) == one


def test_no_sequences() -> None:
    assert epoch_batches([], 4, seed=1, epoch=0) == evaluation_batches([], 4) == []


def test_sizes_below_one() -> None:
    with pytest.raises(UsageError, match="batch_size is 0, wanted 1 or more"):
        epoch_batches([1], 0, seed=1, epoch=0)
    with pytest.raises(UsageError, match="pool is 0"):
        epoch_batches([1], 1, seed=1, epoch=0, pool=0)
    with pytest.raises(UsageError, match="batch_size is -1"):
        evaluation_batches([1], -1)
