"""What a cell is: parameters, a state, and one step."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from timeloom.core import ShapeError, UsageError, check_last_axis, named


class Cell(nn.Module, ABC):
    """One step of a recurrence, in ordinary PyTorch. To write a cell, write this much:

        class LeakyCell(Cell):
            class State(NamedTuple):
                h: Tensor  # (B, H)

            def __init__(self, input_size: int, hidden_size: int):
                super().__init__()
                self.input_size, self.hidden_size = input_size, hidden_size
                self.input = nn.Linear(input_size, hidden_size)

            def step(self, x, state):
                h = 0.9 * state.h + 0.1 * self.input(x)
                return h, self.State(h)

    Where layers shall drop or mask what the recurrence reads, name the modules that multiply the state in
    `recurrent_products`; `self.recurrent` needs no naming.

    A kernel is made of the operations on tensors that a step does when it is first looked at; other Python in it runs
    then and not again. What the step reads (attributes, global variables, closures, classes, modules, the environment,
    its own code) is watched: it may change between calls, and the next call sees it. A step that writes to any of it,
    asks for chance or the time, or computes with the size of the batch runs in the plain loop, with one warning that
    says why.

    Override `output_size` where the cell emits another width than `hidden_size`, and `initial_state` where a field of
    the state has another shape than (B, H) or does not begin at zero. The first axis of every field is the batch.
    Override `held` where a mean of two states is not the mean of each field.
    """

    State: ClassVar[type[Any]]
    recurrent_products: ClassVar[tuple[str, ...]] = ("recurrent",)  # modules that multiply the state
    counters: ClassVar[tuple[str, ...]] = ()  # fields of the state that count steps, which a layer leaves alone
    emits: ClassVar[tuple[str, ...]] = ()  # fields that stand side by side in what a step emits, if it is more than one
    learnable: ClassVar[tuple[str, ...] | None] = (
        None  # fields whose beginning can be learned; all but counters if None
    )
    timed: bool = (
        False  # whether the last number of x is the time since the step before, which a layer does not pass on
    )
    gates: ClassVar[tuple[str, ...]] = ()  # what the rows of `input` are, H each
    sources: tuple[str, ...] = ()  # BibTeX of where the recurrence comes from
    input_size: int
    hidden_size: int
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if not getattr(getattr(cls, "State", None), "_fields", ()):
            raise TypeError(
                f"{cls.__name__}: the class has no State with at least one field.\n"
                "  wanted: class State(NamedTuple): h: Tensor\n"
                f"  Write it inside the body of {cls.__name__}; `step` takes one and gives one back."
            )
        check_sizes(cls, args, kwargs)
        cell = super().__new__(cls)
        # Kept as they came and bound in `like`: copy and pickle call __new__ with nothing and fill this in afterwards.
        cell._arguments = (args, kwargs)
        return cell

    @property
    def called(self) -> str:
        """The name that messages give it."""
        return type(self).__name__

    @property
    def output_size(self) -> int:
        """The width of what a step emits."""
        return self.hidden_size

    def initial_state(self, batch_size: int) -> Any:
        """Zeros (B, hidden_size) for every field of `State`, of the type and on the device of the parameters."""
        return self.State(*(self._zeros(batch_size, self.hidden_size) for _ in self.State._fields))

    def held(self, old: Any, new: Any, shares: Mapping[int, Tensor]) -> Any:
        """The State between two: units keep a share of the old, `shares` (B, W) for each width W of a field."""
        fields = []
        for name, before, after in zip(self.State._fields, old, new, strict=True):
            if name in self.counters:
                fields.append(after)
            else:
                share = shares[before.shape[1]]
                fields.append(share * before + (1 - share) * after)
        return self.State(*fields)

    @abstractmethod
    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One time step: x (B, input_size) and a State → what is emitted (B, output_size) and the next State."""

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """One `step` with its shapes checked, from the initial state if none is given. Raises ShapeError."""
        check_input(self, x, "B I")
        return checked_step(self, x, checked_state(self, state, batch_size=x.shape[0]))

    def like(self, input_size: int, hidden_size: int | None = None) -> Self:
        """A fresh cell of this class, built with the same arguments but for the sizes that are given."""
        signature = inspect.signature(type(self).__init__)
        if "input_size" not in signature.parameters:
            raise TypeError(
                f"{type(self).__name__}: no second cell like this one can be built for another input width.\n"
                f"  __init__{signature}, wanted (self, input_size, ...)\n"
                "  Give __init__ a parameter named input_size; deeper layers and the other direction need it."
            )
        args, kwargs = copy.deepcopy(self._arguments)
        bound = signature.bind(self, *args, **kwargs)
        bound.arguments["input_size"] = input_size
        if hidden_size is not None:
            bound.arguments["hidden_size"] = hidden_size
        cell = type(self)(*bound.args[1:], **bound.kwargs)
        parameter = self._first_floating_parameter()
        return cell if parameter is None else cell.to(parameter)

    def extra_repr(self) -> str:
        return f"input_size={self.input_size}, hidden_size={self.hidden_size}"

    def _first_floating_parameter(self) -> Tensor | None:
        return next((parameter for parameter in self.parameters() if parameter.dtype.is_floating_point), None)

    def _zeros(self, batch_size: int, width: int) -> Tensor:
        """Zeros of the type and on the device of the parameters."""
        parameter = self._first_floating_parameter()
        if parameter is None:
            return torch.zeros(batch_size, width)
        # A weight that torch has expanded for the gradients of each example makes no tensors itself.
        return getattr(parameter, "orig_weight", parameter).new_zeros(batch_size, width)


def check_input(cell: Cell, x: Tensor, names: str) -> None:
    """Raise a ShapeError unless `x` has the axes `names`, the cell's input width, and its type and device."""
    require_sizes(cell)
    owner = type(cell).__name__
    advice = "Build the cell with the input_size that x has, or check what makes x."
    check_last_axis(x, cell.input_size, owner=owner, what="x", names=names, advice=advice)
    parameter = cell._first_floating_parameter()
    if parameter is not None:
        check_kind(x, parameter, owner=owner, what="x", holder="the cell's parameters")


def checked_state(cell: Cell, state: Any, batch_size: int) -> Any:
    """The given state as a `State`, or the initial one for None. Raises ShapeError where it does not fit the cell."""
    wanted = cell.initial_state(batch_size)
    if state is None:
        return wanted
    owner, fields = type(cell).__name__, cell.State._fields
    is_state = isinstance(state, tuple) and all(isinstance(field, Tensor) for field in state)
    if not is_state or len(state) != len(fields):
        raise ShapeError(
            f"{owner}: state is not a state of this cell.\n"
            f"  state: {outline(state)}, wanted {owner}.State({', '.join(fields)})\n"
            "  Give what an earlier call returned, or None to begin at the initial state."
        )
    has_parameters = cell._first_floating_parameter() is not None
    for name, given, initial in zip(fields, state, wanted, strict=True):
        if given.shape != initial.shape:
            raise ShapeError(
                f"{owner}: state.{name} does not fit the cell and the batch.\n"
                f"  state.{name}: {tuple(given.shape)}, wanted {tuple(initial.shape)}\n"
                "  Give the state of a batch of the same size and of a cell of the same sizes."
            )
        if has_parameters:
            check_kind(given, initial, owner=owner, what=f"state.{name}", holder="the cell's initial state")
    return cell.State(*state)


def checked_step(cell: Cell, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """`cell.step(x, state)`, with a ShapeError where the step does not keep what `Cell` promises."""
    result = cell.step(x, state)
    wanted = (x.shape[0], cell.output_size)
    kept = (
        isinstance(result, tuple)
        and len(result) == 2
        and isinstance(result[0], Tensor)
        and isinstance(result[1], cell.State)
        and result[0].shape == wanted
        and all(new.shape == old.shape for new, old in zip(result[1], state, strict=True))
    )
    if not kept:
        raise ShapeError(
            f"{type(cell).__name__}.step: what came back is not an emission and a State of unchanged shapes.\n"
            f"  step(x, state) gave {outline(result)}, wanted ({wanted}, {outline(state)})\n"
            "  Return (emitted, self.State(...)), and set output_size if the emission is not hidden_size wide."
        )
    return result


def check_sizes(kind: type[Cell], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise a UsageError for an `input_size` or `hidden_size` that is no number of features."""
    try:
        given = inspect.signature(kind.__init__).bind_partial(None, *args, **kwargs).arguments
    except TypeError:
        return  # __init__ says what is wrong
    for name in {"input_size", "hidden_size"} & set(given):
        check_size(kind.__name__, name, given[name])


def check_size(owner: str, name: str, size: Any) -> None:
    """Raise a UsageError for what is no number of features; None may have a meaning of its own."""
    if isinstance(size, float | str) or (isinstance(size, int) and size < 1):
        raise UsageError(f"{owner}: {name} is {size!r}, wanted a whole number, 1 or more")


def require_sizes(cell: Cell) -> None:
    """Raise a UsageError unless the cell's `__init__` has said how much it reads and how many units it has."""
    for name in ("input_size", "hidden_size"):
        if not hasattr(cell, name):
            raise UsageError(
                f"{type(cell).__name__}: its __init__ set no {name}.\n"
                "  wanted: self.input_size, self.hidden_size = input_size, hidden_size\n"
                "  Set both behind super().__init__(); a layer asks for them."
            )


def check_kind(tensor: Tensor, like: Tensor, *, owner: str, what: str, holder: str) -> None:
    """Raise a ShapeError unless `tensor` has the type and the device of `like`."""
    # Autocast chooses the type of every product by itself, and states come out as it chose.
    same_type = tensor.dtype == like.dtype or torch.is_autocast_enabled(tensor.device.type)
    if not same_type or tensor.device != like.device:
        raise ShapeError(
            f"{owner}: {what} is of another type or on another device than {holder}.\n"
            f"  {what}: {tensor.dtype} on {tensor.device}, wanted {like.dtype} on {like.device}\n"
            "  Move one of them with .to(...)."
        )


def outline(value: Any) -> str:
    """Shapes and type names only, for an error: `State(h=(B=2, H=3))`."""
    if isinstance(value, Tensor):
        return named(value, "B H")
    if isinstance(value, tuple):
        names = [f"{name}=" for name in getattr(value, "_fields", ())] or [""] * len(value)
        inner = ", ".join(name + outline(part) for name, part in zip(names, value, strict=True))
        return f"{'' if type(value) is tuple else type(value).__name__}({inner})"
    return type(value).__name__
