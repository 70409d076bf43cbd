"""Whatever a step reads may change between calls: the next call sees it, or the step runs in the plain loop."""

from __future__ import annotations

import math
import os
import random
import time
import warnings
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.scan import settings_of_steps as settings
from tests.tolerances import assert_close
from timeloom.core import UsageError
from timeloom.scan import Cell, plain_loop, scan
from timeloom.scan.choose import kernel_for, known_of

SCALE = 0.5
LISTED = [0.5]
NUMBER = torch.tensor(0.5)


def factor() -> float:
    return 0.5


def other_factor() -> float:
    return 0.9


class Slotted:
    __slots__ = ("scale",)

    def __init__(self) -> None:
        self.scale = 0.5


@dataclass
class Config:
    scale: float = 0.5
    inner: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(scale=0.5))


class Called:
    scale = 0.5

    def __call__(self) -> float:
        return self.scale


class Scaled(nn.Module):
    """A part with an attribute of its own and one of its class."""

    of_class = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.scale = 0.5

    def forward(self, a: Tensor) -> Tensor:
        return self.scale * self.of_class * 2 * a


class Base(Cell):
    class State(NamedTuple):
        h: Tensor  # (B, H)

    scale_of_class = 0.5
    body: Callable[..., Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.hidden_size = 3, 4
        self.recurrent = nn.Linear(7, 4)
        self.scale = 0.5
        self.held_list = [0.5]
        self.held_dict: dict[str, Any] = {"scale": 0.5, "deep": {"scale": [0.5]}}
        self.held_set = {0.5}
        self.held_deque = deque([0.5])
        self.held_default = defaultdict(lambda: 0.5, scale=0.5)
        self.config = Config()
        self.space = SimpleNamespace(scale=0.5, inner=SimpleNamespace(scale=0.5))
        self.slotted = Slotted()
        self.array = np.array([0.5])
        self.called_scale = Called()
        self.part = Scaled()
        self.partly = partial(lambda a, by: by["scale"] * a, by={"scale": 0.5})
        self.iterator = iter([0.5] * 40 + [0.9] * 1000)
        self.register_buffer("count", torch.zeros(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.5, 0.5, generator=torch.Generator().manual_seed(0))

    def scaled_by_method(self, a: Tensor) -> Tensor:
        return SCALE * a

    @property
    def scale_by_property(self) -> float:
        return settings.SCALE

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        h = torch.tanh(type(self).body(self, self.recurrent(torch.cat([x, state.h], -1))))
        return h, self.State(h)


def cell_of(body: Callable[..., Tensor]) -> Base:
    """A cell of a class of its own, whose step is `body` of the product."""
    return type("Drawn", (Base,), {"body": body})()


def put(owner: Any, name: str, value: Any) -> Callable[[Base, pytest.MonkeyPatch], None]:
    return lambda cell, patch: patch.setattr(owner, name, value)


def of_cell(path: str, value: Any) -> Callable[[Base, pytest.MonkeyPatch], None]:
    """Set `a.b.c` below the cell."""

    def change(cell: Base, patch: pytest.MonkeyPatch) -> None:
        *way, last = path.split(".")
        owner: Any = cell
        for name in way:
            owner = getattr(owner, name)
        setattr(owner, last, value)

    return change


def item(get: Callable[[Base], Any], key: Any, value: Any) -> Callable[[Base, pytest.MonkeyPatch], None]:
    return lambda cell, patch: get(cell).__setitem__(key, value)


def by_closure() -> tuple[Callable[..., Tensor], Callable[..., None]]:
    scale, table = 0.5, {"scale": 0.5}

    def change(cell: Base, patch: pytest.MonkeyPatch) -> None:
        nonlocal scale
        scale, table["scale"] = 0.9, 0.7

    return lambda c, a: scale * table["scale"] * 2 * a, change


BY_DEFAULT = [0.5]


def with_default(c: Any, a: Tensor, by: list[float] = BY_DEFAULT) -> Tensor:
    return by[0] * a


def with_default_number(c: Any, a: Tensor, by: float = 0.5, *, more: float = 1.0) -> Tensor:
    return by * more * a


def patched_code(cell: Base, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(factor, "__code__", other_factor.__code__)


def another_step(cell: Base, patch: pytest.MonkeyPatch) -> None:
    def step(self: Base, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        h = 0.1 * self.recurrent(torch.cat([x, state.h], -1))
        return h, self.State(h)

    patch.setattr(type(cell), "step", step, raising=False)


def another_base(cell: Base, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Base, "scaled_by_method", lambda self, a: 0.9 * a)


def closure_of_part(cell: Base, patch: pytest.MonkeyPatch) -> None:
    def hook(module: nn.Module, args: Any, out: Any) -> Any:
        return 0.9 * out

    cell.part.register_forward_hook(hook)


CHANGES: dict[str, tuple[Callable[..., Tensor], Callable[..., None]]] = {
    "a global number": (lambda c, a: SCALE * a, lambda c, p: p.setitem(globals(), "SCALE", 0.9)),
    "a global number by a method": (
        lambda c, a: c.scaled_by_method(a),
        lambda c, p: p.setitem(globals(), "SCALE", 0.9),
    ),
    "a global number by a lambda": (
        lambda c, a: (lambda: SCALE)() * a,
        lambda c, p: p.setitem(globals(), "SCALE", 0.9),
    ),
    "a global list": (lambda c, a: LISTED[0] * a, lambda c, p: LISTED.__setitem__(0, 0.9)),
    "a global function": (lambda c, a: factor() * a, lambda c, p: p.setitem(globals(), "factor", other_factor)),
    "the code of a function": (lambda c, a: factor() * a, patched_code),
    "the step": (lambda c, a: a, another_step),
    "a method of the base": (lambda c, a: c.scaled_by_method(a), another_base),
    "a class attribute": (lambda c, a: c.scale_of_class * a, put(Base, "scale_of_class", 0.9)),
    "a class attribute set below": (
        lambda c, a: c.scale_of_class * a,
        lambda c, p: p.setattr(type(c), "scale_of_class", 0.9),
    ),
    "an attribute over a class attribute": (lambda c, a: c.scale_of_class * a, of_cell("scale_of_class", 0.9)),
    "an attribute": (lambda c, a: c.scale * a, of_cell("scale", 0.9)),
    "an attribute by getattr": (lambda c, a: getattr(c, "sc" + "ale") * a, of_cell("scale", 0.9)),
    "a list": (lambda c, a: c.held_list[0] * a, item(lambda c: c.held_list, 0, 0.9)),
    "a longer list": (lambda c, a: sum(c.held_list) * a, lambda c, p: c.held_list.append(0.4)),
    "a dict": (lambda c, a: c.held_dict["scale"] * a, item(lambda c: c.held_dict, "scale", 0.9)),
    "a deep dict": (
        lambda c, a: c.held_dict["deep"]["scale"][0] * a,
        item(lambda c: c.held_dict["deep"]["scale"], 0, 0.9),
    ),
    "a set": (lambda c, a: sum(c.held_set) * a, lambda c, p: c.held_set.add(0.25)),
    "a deque": (lambda c, a: c.held_deque[0] * a, item(lambda c: c.held_deque, 0, 0.9)),
    "a defaultdict": (lambda c, a: c.held_default["scale"] * a, item(lambda c: c.held_default, "scale", 0.9)),
    "a dataclass": (lambda c, a: c.config.scale * a, of_cell("config.scale", 0.9)),
    "a config in a config": (lambda c, a: c.config.inner.scale * a, of_cell("config.inner.scale", 0.9)),
    "a namespace": (lambda c, a: c.space.scale * a, of_cell("space.scale", 0.9)),
    "a namespace in a namespace": (lambda c, a: c.space.inner.scale * a, of_cell("space.inner.scale", 0.9)),
    "an object with slots": (lambda c, a: c.slotted.scale * a, of_cell("slotted.scale", 0.9)),
    "an array": (lambda c, a: float(c.array[0]) * a, item(lambda c: c.array, 0, 0.9)),
    "a callable object": (lambda c, a: c.called_scale() * a, of_cell("called_scale.scale", 0.9)),
    "the class of a callable": (lambda c, a: c.called_scale() * a, put(Called, "scale", 0.9)),
    "a part's attribute": (lambda c, a: c.part(a), of_cell("part.scale", 0.9)),
    "a part's class attribute": (lambda c, a: c.part(a), put(Scaled, "of_class", 0.9)),
    "a part's forward": (lambda c, a: c.part(a), put(Scaled, "forward", lambda self, a: 0.9 * a)),
    "a hook on a part": (lambda c, a: c.part(a), closure_of_part),
    "a partial's argument": (lambda c, a: c.partly(a), item(lambda c: c.partly.keywords["by"], "scale", 0.9)),
    "a closure": by_closure(),
    "a default list": (with_default, lambda c, p: BY_DEFAULT.__setitem__(0, 0.9)),
    "a default": (with_default_number, lambda c, p: p.setattr(with_default_number, "__defaults__", (0.9,))),
    "a keyword's default": (
        with_default_number,
        lambda c, p: p.setattr(with_default_number, "__kwdefaults__", {"more": 0.7}),
    ),
    "a module's number": (lambda c, a: settings.SCALE * a, put(settings, "SCALE", 0.9)),
    "a module's number by its function": (lambda c, a: settings.scaled(a), put(settings, "SCALE", 0.9)),
    "a module's number by a property": (lambda c, a: c.scale_by_property * a, put(settings, "SCALE", 0.9)),
    "deep in a module": (
        lambda c, a: settings.NESTED.inner.scale * settings.NESTED.table["scale"][0] * 2 * a,
        put(settings.NESTED.inner, "scale", 0.9),
    ),
    "the environment": (
        lambda c, a: float(os.environ.get("TIMELOOM_TEST_SCALE", "0.5")) * a,
        lambda c, p: p.setenv("TIMELOOM_TEST_SCALE", "0.9"),
    ),
    "the environment by getenv": (
        lambda c, a: float(os.getenv("TIMELOOM_TEST_SCALE") or "0.5") * a,
        lambda c, p: p.setenv("TIMELOOM_TEST_SCALE", "0.9"),
    ),
    "a tensor by item": (
        lambda c, a: NUMBER.item() * a,
        lambda c, p: p.setitem(globals(), "NUMBER", torch.tensor(0.9)),
    ),
    "a tensor by float, written to": (lambda c, a: float(c.count) * a, lambda c, p: c.count.fill_(0.9)),
    "training": (lambda c, a: a if c.training else 0.5 * a, lambda c, p: c.eval()),
    "a parameter replaced": (
        lambda c, a: a,
        lambda c, p: setattr(c.recurrent, "weight", nn.Parameter(torch.full((4, 7), 0.1, dtype=torch.float64))),
    ),
}


def both_ways(cell: Base, x: Tensor) -> tuple[Tensor, Tensor]:
    with plain_loop():
        wanted = scan(cell, x)[0].detach()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scan(cell, x)[0].detach(), wanted


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_between_calls_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body, change = CHANGES[name]
    cell, x = cell_of(body).double(), torch.randn(5, 2, 3, dtype=torch.float64)
    before, wanted = both_ways(cell, x)
    assert_close(before, wanted)
    change(cell, monkeypatch)
    after, wanted = both_ways(cell, x)
    assert_close(after, wanted)
    assert "float" in name or not torch.equal(after, before) or name == "a parameter replaced"


FUSED = [
    *(
        "a global number by a method",
        "a global function",
        "a dataclass",
        "a closure",
        "a module's number",
        "a deep dict",
    ),
    *("an object with slots", "a part's class attribute", "the environment", "a default list", "the step"),
]


@pytest.mark.parametrize("name", FUSED)
def test_what_is_watched_needs_no_plain_loop(name: str) -> None:
    cell = cell_of(CHANGES[name][0]).double()
    assert not isinstance(kernel_for(cell, torch.zeros(5, 2, 3, dtype=torch.float64), cell.initial_state(2)), str)


def count_up(c: Any, a: Tensor) -> Tensor:
    c.held_list[0] += 1
    return a / c.held_list[0]


def count_in_object(c: Any, a: Tensor) -> Tensor:
    c.space.scale += 1
    return a / c.space.scale


def count_in_class(c: Any, a: Tensor) -> Tensor:
    type(c).scale_of_class = type(c).scale_of_class + 1
    return a / c.scale_of_class


def append(c: Any, a: Tensor) -> Tensor:
    c.held_deque.append(1.0)
    return a / len(c.held_deque)


def count_in_buffer(c: Any, a: Tensor) -> Tensor:
    c.count = c.count + 1
    return a / (1 + c.count)


def count_in_place(c: Any, a: Tensor) -> Tensor:
    c.count += 1
    return a / (1 + c.count)


def count_by_out(c: Any, a: Tensor) -> Tensor:
    with torch.no_grad():
        torch.add(c.count, 1, out=c.count)
    return a / (1 + c.count)


EFFECTS: dict[str, Callable[..., Tensor]] = {
    "a number in a list": count_up,
    "a number in an object": count_in_object,
    "a number in the class": count_in_class,
    "a deque": append,
    "a buffer, put anew": count_in_buffer,
    "a buffer, in place": count_in_place,
    "a buffer, by out": count_by_out,
}


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_come_at_every_step(name: str) -> None:
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    ours, plain = cell_of(EFFECTS[name]).double(), cell_of(EFFECTS[name]).double()
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = scan(ours, x)[0]
        with plain_loop():
            assert_close(found, scan(plain, x)[0])


SIZES: dict[str, Callable[..., Tensor]] = {
    "its root": lambda c, a: a / math.sqrt(len(a)),
    "one over it": lambda c, a: a * (1 / a.shape[0]),
    "a sum": lambda c, a: a + len(a) + 1,
    "a tensor of it": lambda c, a: a / torch.tensor(float(len(a))),
    "a full tensor of it": lambda c, a: a / a.new_full((1,), len(a)),
    "numel": lambda c, a: a / a.numel(),
    "a branch": lambda c, a: a if len(a) > 4 else 0.5 * a,
    "a branch at one size": lambda c, a: 0.5 * a if len(a) == 7 else a,
    "a power": lambda c, a: a * 0.9 ** len(a),
    "a string": lambda c, a: a / float(str(len(a))),
    "a mean over the batch": lambda c, a: a - a.mean(0),
    "size": lambda c, a: a / a.size(0),
    "arange": lambda c, a: a + torch.arange(len(a), dtype=a.dtype)[:, None],
    "a range": lambda c, a: a + sum(0.01 for _ in range(len(a))),
    "a list of it": lambda c, a: a * [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8][min(len(a), 7)],
}


@pytest.mark.parametrize("name", SIZES)
def test_the_size_of_the_batch(name: str) -> None:
    cell = cell_of(SIZES[name]).double()
    for batch_size in (2, 7, 23, 25):
        found, wanted = both_ways(cell, torch.randn(4, batch_size, 3, dtype=torch.float64))
        assert_close(found, wanted)


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        (lambda c, a: random.random() * a, "chance"),
        (lambda c, a: random.gauss(0, 1) * a, "chance"),
        (lambda c, a: float(np.random.rand()) * a, "chance|changes from call to call"),
        (lambda c, a: time.perf_counter() * a, "chance or the time"),
        (lambda c, a: a * next(c.iterator), "iterator"),
        (lambda c, a: a * torch.rand(()), "random numbers"),
        (lambda c, a: a if torch.is_grad_enabled() else 0.5 * a, "whether gradients are wanted"),
        (lambda c, a: a if a.requires_grad else 0.5 * a, "whether a gradient is wanted"),
        (lambda c, a: a if a.is_contiguous() else 0.5 * a, "how a tensor lies in memory"),
        (lambda c, a: a * a.detach().tolist()[0][0], "the numbers in a tensor"),
    ],
)
def test_chance_and_what_a_kernel_cannot_know_is_refused(body: Callable[..., Tensor], pattern: str) -> None:
    cell = cell_of(body)
    with pytest.warns(UserWarning, match=f"runs in the plain loop.*({pattern})"):
        scan(cell, torch.randn(4, 2, 3))


def test_numbers_that_are_not_the_batch() -> None:
    for body in (
        lambda c, a: a.clamp(-23, 23) * 25,
        lambda c, a: torch.cat([a] * 7, -1).split(1, -1)[23] + torch.cat([a] * 7, -1).split(1, -1)[25] + a,
    ):
        found, wanted = both_ways(cell := cell_of(body).double(), torch.randn(4, 3, 3, dtype=torch.float64))
        assert_close(found, wanted)
        assert not isinstance(kernel_for(cell, torch.zeros(4, 3, 3, dtype=torch.float64), cell.initial_state(3)), str)


def test_a_buffer_with_a_gradient() -> None:
    cell = cell_of(lambda c, a: a * c.count).double()
    source = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    cell.count = 2 * source
    with pytest.warns(UserWarning, match="buffer that wants a gradient"):
        scan(cell, torch.randn(4, 3, 3, dtype=torch.float64))[0].sum().backward()
    assert source.grad is not None
    assert source.grad != 0


def test_toggled_ways_are_kept() -> None:
    cell = cell_of(lambda c, a: a if c.training else 0.5 * a)
    x, found = torch.zeros(4, 2, 3), []
    for _ in range(3):
        for training in (True, False):
            kernel = kernel_for(cell.train(training), x, cell.initial_state(2))
            assert not isinstance(kernel, str)
            found.append(kernel[0])
    assert len({id(kernel) for kernel in found}) == 2


def test_what_changes_at_every_call_is_said_in_the_end() -> None:
    cell, x = cell_of(lambda c, a: c.scale * a), torch.zeros(4, 2, 3)
    found: Any = None
    for i in range(80):
        cell.scale = float(i)
        found = known_of(cell)  # no kernel is built by that
    assert isinstance(found, str)
    assert "self.scale changes from call to call" in found
    with pytest.warns(UserWarning, match="changes from call to call"):
        scan(cell, x)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, in its compiler
def test_compiled_code_sees_what_changes() -> None:
    cell = cell_of(lambda c, a: a * c.scale if c.training else 0.5 * a)
    x = torch.randn(4, 2, 3)
    compiled = torch.compile(lambda x: scan(cell, x)[0])
    for training in (False, True, False):
        cell.train(training)
        with plain_loop():
            wanted = scan(cell, x)[0]
        assert_close(compiled(x), wanted)
    cell.scale = 0.9
    cell.train()
    with pytest.raises(UsageError, match=r"no longer what it was.*\n.*torch.compiler.reset"):
        compiled(x)
    torch.compiler.reset()
    with plain_loop():
        wanted = scan(cell, x)[0]
    assert_close(compiled(x), wanted)
