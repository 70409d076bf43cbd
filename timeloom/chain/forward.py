"""The sum over all paths as a cell: the log semiring's recursion is a recurrence, and so the scan compiles it."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from timeloom.chain.fold import LogSum, all_paths, fold, largest, log_sum
from timeloom.core import step_mask
from timeloom.core.warn import warn_caller
from timeloom.scan import Cell, scan


class ForwardCell(Cell):
    """alpha_t(j) = e_t(j) + log sum_i exp(alpha_{t-1}(i) + A(i, j)), with the sum as a product: exp(alpha) · exp(A).

    Scores are kept such that the largest alpha is 0, with the rest of the sum apart from them, and each column of A
    such that its largest is 0: nothing overflows. What the step emits are the sums (B, K). Where one is so small that a
    term which underflowed would have counted, it is not to be trusted; see `doubtful`.
    """

    class State(NamedTuple):
        alpha: Tensor  # (B, K) log of the sum over all paths that end in each tag, less `total`
        total: Tensor  # (B, 1)

    def __init__(self, tags: int):
        super().__init__()
        self.input_size = self.hidden_size = tags
        self.transitions = nn.Parameter(torch.zeros(tags, tags))

    def initial_state(self, batch_size: int) -> State:
        zeros = self.transitions.new_zeros
        return self.State(zeros(batch_size, self.hidden_size), zeros(batch_size, 1))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        highest = largest(self.transitions, 0)
        sums = torch.exp(state.alpha) @ torch.exp(self.transitions - highest)
        there = sums > 0
        alpha = torch.where(there, torch.log(torch.where(there, sums, 1.0)), -math.inf) + highest + x
        most = largest(alpha, -1, keepdim=True)
        return sums, self.State(alpha - most, state.total + most)


@lru_cache(maxsize=64)
def forward_cell(tags: int, dtype: torch.dtype, device: torch.device) -> ForwardCell:
    """The one cell for so many tags; each call gives the transitions with it."""
    return ForwardCell(tags).to(device, dtype).requires_grad_(False)


def log_sums(
    emissions: Tensor, transitions: Tensor, start: Tensor, lengths: Tensor
) -> tuple[Tensor, ForwardCell.State]:
    """The sums that each step emits (T - 1, B, K), and the State after the last."""
    begin, x, lengths = begun(emissions, start, lengths)
    if len(x) == 0:
        return x, begin
    with torch.autocast(x.device.type, enabled=False):  # a sum over paths needs all its digits
        return scan(cell_for(emissions), x, begin, lengths=lengths, parameters={"transitions": transitions})


def begun(emissions: Tensor, start: Tensor, lengths: Tensor) -> tuple[ForwardCell.State, Tensor, Tensor]:
    """The State after the first step, the emissions of the others (T - 1, B, K), and how many of these there are."""
    first, others = emissions.transpose(0, 1).split([1, emissions.shape[1] - 1])
    first = first[0] + start
    most = largest(first, -1, keepdim=True)
    return ForwardCell.State(first - most, most), others, (lengths - 1).clamp(min=0)


def cell_for(emissions: Tensor) -> ForwardCell:
    return forward_cell(emissions.shape[-1], emissions.dtype, emissions.device)


def log_partition(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """log of the sum over all paths, (B,); arguments as for `fold`, transitions (K, K)."""
    sums, last = log_sums(emissions, transitions, start, lengths)
    found = last.total[:, 0] + log_sum(last.alpha + end, -1)
    rows = doubtful(sums.detach(), emissions, transitions, start, lengths)
    if rows is not None:
        exact = all_paths(emissions[rows], transitions, start, end, lengths[rows])
        found = found.masked_fill(rows, 0.0).index_add(0, rows.nonzero()[:, 0], exact)
    return found


def log_alphas(emissions: Tensor, transitions: Tensor, start: Tensor, lengths: Tensor) -> Tensor:
    """log of the sum over all paths to each tag of each step (B, T, K), up to one number for each step."""
    begin, x, rest = begun(emissions, start, lengths)
    if len(x) == 0:
        return begin.alpha.unsqueeze(1)
    with torch.autocast(x.device.type, enabled=False):
        sums, _, states = scan(
            cell_for(emissions), x, begin, lengths=rest, all_states=True, parameters={"transitions": transitions}
        )
    alphas = torch.cat([begin.alpha[None], states.alpha]).transpose(0, 1)
    rows = doubtful(sums.detach(), emissions, transitions, start, lengths)
    if rows is not None:
        kept = Alphas()
        last, _ = fold(kept, emissions[rows], transitions, start, torch.zeros_like(start), lengths[rows])
        alphas = alphas.clone()
        alphas[rows] = torch.stack([*kept.seen, last], 1)
    return alphas


class Alphas(LogSum):
    """All paths, and what was carried before each step."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def advance(self, carried: Tensor, transitions: Tensor) -> Tensor:
        self.seen.append(carried)
        return super().advance(carried, transitions)


def doubtful(sums: Tensor, emissions: Tensor, transitions: Tensor, start: Tensor, lengths: Tensor) -> Tensor | None:
    """The sequences (B,) of which a sum has lost something; None if there are none.

    What underflows is below the smallest normal number. A sum that is so much larger that all K of these would not
    touch its last bit is right; so is one that is zero because every way to the tag is forbidden.
    """
    numbers = torch.finfo(sums.dtype)
    least = sums.shape[-1] * numbers.tiny / numbers.eps
    if not sums.numel() or sums.amin() >= least:  # the usual case, in one pass
        return None
    low = (sums < least).transpose(0, 1)  # (B, T - 1, K)
    low = low & step_mask(lengths, emissions.shape[1])[:, 1:, None]
    if not low.any():
        return None
    allowed = (transitions > -torch.inf).to(sums.dtype)
    ways = emissions[:, 0] + start > -torch.inf
    for t in range(1, emissions.shape[1]):
        ways = (ways.to(sums.dtype) @ allowed) > 0
        low[:, t - 1] &= ways
        ways = ways & (emissions[:, t] > -torch.inf)
    rows = low.flatten(1).any(1)
    if not rows.any():
        return None
    warn_once()
    return rows


@cache
def warn_once() -> None:
    warn_caller(
        "Chain: scores lie so far apart that a product of their exponentials would lose some; sentences with such "
        "scores are summed step by step in torch, which is exact and slower"
    )
