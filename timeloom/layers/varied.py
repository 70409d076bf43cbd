"""A cell with what a layer does around its step: new sequences, zoneout, dropout of what the recurrence reads.

All of it is element-wise, so it stands in the same native loop as the step.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from timeloom.core import UsageError
from timeloom.scan import Cell
from timeloom.scan.cell import checked_step


class Varied(Cell):
    """One step of `cell`, with more columns in x and more fields in the state:

        x      the cell's own | 1 where a new sequence begins, if `resets` | for each width of a field, the share that
               every unit keeps of its old value, if `zoneout`
        state  the cell's own | masks on what each recurrent product reads, if `masked` | the state in which a new
               sequence begins, if `resets`

    With zoneout, s' = k ⊙ s + (1 − k) ⊙ step(s): k is drawn 0 or 1 in training and is their mean after it. Every field
    of a width has the same k, so that a unit holds as a whole; counters go on; see `Cell.held`.
    """

    State: Any = namedtuple("State", ["h"])  # of each its own, by its cell

    def __init__(self, cell: Cell, resets: bool, zoneout: bool, masked: bool):
        super().__init__()
        self.cell = cell
        self.resets = resets
        self.zoneout = zoneout
        self.masked = masked
        initial = cell.initial_state(1)
        self.own = len(initial)
        held = [field for name, field in zip(initial._fields, initial, strict=True) if name not in cell.counters]
        self.widths = list(dict.fromkeys(field.shape[1] for field in held))
        self.products = list(cell.recurrent_products) if masked else []
        self.mask_widths = [weight_of(cell, name).shape[-1] for name in self.products]
        masks = [f"mask_{i}" for i in range(len(self.products))]
        begin = [f"begin_{name}" for name in initial._fields] if resets else []
        self.State = namedtuple("State", [*initial._fields, *masks, *begin])
        self.hidden_size = cell.hidden_size
        self.input_size = cell.input_size + resets + (sum(self.widths) if zoneout else 0)

    @property
    def called(self) -> str:
        return self.cell.called

    @property
    def output_size(self) -> int:
        return self.cell.output_size

    def initial_state(self, batch_size: int) -> Any:
        initial = self.cell.initial_state(batch_size)
        like = initial[0]
        masks = [like.new_ones(batch_size, width) for width in self.mask_widths]
        return self.State(*initial, *masks, *(initial if self.resets else ()))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        at = self.cell.input_size
        old = self.cell.State(*state[: self.own])
        rest = state[self.own :]
        if self.resets:
            new = x[:, at : at + 1] > 0  # (B, 1)
            begin = rest[len(self.products) :]
            old = self.cell.State(*(torch.where(new, b, s) for b, s in zip(begin, old, strict=True)))
            at += 1
        with ExitStack() as stack:
            for name, mask in zip(self.products, rest, strict=False):
                stack.enter_context(reading_through(self.cell.get_submodule(name), mask))
            y, made = checked_step(self.cell, x[:, : self.cell.input_size], old)
        if not self.zoneout:
            return y, self.State(*made, *rest)
        shares = {}
        for width in self.widths:
            shares[width] = x[:, at : at + width]
            at += width
        held = self.cell.held(old, made, shares)
        if self.cell.emits:
            y = torch.cat([getattr(held, name) for name in self.cell.emits], -1)
        else:
            y = next((kept for kept, after in zip(held, made, strict=True) if after is y), y)
        return y, self.State(*held, *rest)


@contextmanager
def reading_through(product: nn.Module, mask: Tensor) -> Iterator[None]:
    """Inside, `product` reads what it is given times the mask. Raises UsageError if nothing calls it."""
    called = False

    def masked(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        nonlocal called
        called = True
        return given[0] * mask, *given[1:]

    handle = product.register_forward_pre_hook(masked)
    try:
        yield
    finally:
        handle.remove()
    if not called:
        raise UsageError(
            f"recurrent_dropout masks what a recurrent product reads, and the step does not call {product}.\n"
            "  Call the module itself, as self.recurrent(state.h), where the step now uses its weight."
        )


def weight_of(cell: Cell, name: str) -> Tensor:
    """The weight of one of a cell's modules, a parameter or what is computed in its place (weight norm)."""
    return cast(Tensor, cell.get_submodule(name).weight)


def check_products(cell: Cell, why: str) -> None:
    """Raise a UsageError unless the cell has its recurrent products where a layer can reach them."""
    owner = type(cell).__name__
    if not cell.recurrent_products:
        raise UsageError(f"{owner}: {why} acts on products of the state with weights, and this cell has none")
    for name in cell.recurrent_products:
        try:
            weight = weight_of(cell, name)
        except AttributeError:
            weight = None
        if not isinstance(weight, Tensor) or weight.dim() not in (1, 2):
            raise UsageError(
                f"{owner}: {why} acts on products with the state, and there is no linear module {name}.\n"
                f"  Name the modules that multiply the state in {owner}.recurrent_products."
            )
