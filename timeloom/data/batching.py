"""Which sequences go together: batches as a pure function of seed and epoch, with nothing to save or restore."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from timeloom.core import UsageError


def epoch_batches(lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int, pool: int = 50) -> list[list[int]]:
    """Batches of indices for one epoch, sequences of like length together, every index exactly once.

    The indices are shuffled and cut into pools of `pool` batches; each pool is sorted by length and cut into batches;
    the batches are shuffled. One batch may be short. The global random state is neither read nor changed, so a run that
    resumes in epoch 7 asks for epoch 7 and gets what it would have had.
    """
    check_positive(batch_size=batch_size, pool=pool)
    generator = torch.Generator().manual_seed(seed_of(seed, epoch))
    order = shuffled(len(lengths), generator)
    batches = []
    for pooled in cut(order, pool * batch_size):
        batches += cut(sorted(pooled, key=lambda index: lengths[index]), batch_size)
    return [batches[i] for i in shuffled(len(batches), generator)]


def evaluation_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches of indices in order of length (ties in order of index), every index exactly once: least padding."""
    check_positive(batch_size=batch_size)
    return cut(sorted(range(len(lengths)), key=lambda index: lengths[index]), batch_size)


def seed_of(seed: int, epoch: int) -> int:
    """63 bits; a hash, so that seed 1 in epoch 2 has nothing in common with seed 2 in epoch 1."""
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch}".encode()).digest()[:8], "big") >> 1


def shuffled(size: int, generator: torch.Generator) -> list[int]:
    return torch.randperm(size, generator=generator).tolist()


def cut(indices: list[int], size: int) -> list[list[int]]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]


def check_positive(**arguments: int) -> None:
    for name, value in arguments.items():
        if value < 1:
            raise UsageError(f"{name} is {value}, wanted 1 or more")
