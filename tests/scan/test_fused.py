"""The kernel against the plain loop: drawn cells, ways to be called, and what it must refuse."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.catalogue import Entry, build, every_cell
from tests.tolerances import assert_close
from timeloom.cells import GRUCell, LSTMCell
from timeloom.layers import Recurrent
from timeloom.scan import Cell, choose, explain, operator, plain_loop, scan


@pytest.fixture(autouse=True)
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels built with the flags that users have."""
    monkeypatch.delenv("TIMELOOM_CXXFLAGS", raising=False)
    monkeypatch.setattr(choose, "_alike", OrderedDict())  # none that another test has built


UNARY = [torch.sigmoid, torch.tanh, torch.relu, nn.functional.softplus, torch.abs, torch.neg, torch.exp]
ROWS = [
    lambda a: torch.softmax(a, -1),
    lambda a: nn.functional.layer_norm(a, a.shape[-1:]),
    lambda a: a - a.mean(-1, keepdim=True),
    lambda a: a - torch.logsumexp(a, -1, keepdim=True),
]
BINARY = [
    torch.add,
    torch.mul,
    torch.sub,
    torch.maximum,
    torch.minimum,
    lambda a, b: torch.where(a > b, a, 0.5 * b),
    lambda a, b: a / (1 + b * b),
    lambda a, b: a.clamp(-0.5, 0.7) + b,
]


class DrawnCell(Cell):
    """A step drawn from the operations a cell may use; `seed` says which."""

    class State(NamedTuple):
        h: Tensor  # (B, H)
        memory: Tensor  # (B, H)
        clock: Tensor  # (B, 1) how many steps have gone by

    def __init__(self, input_size: int, hidden_size: int, seed: int):
        super().__init__()
        self.input_size, self.hidden_size, self.seed = input_size, hidden_size, seed
        draw = random.Random(seed)
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.recurrent = nn.Linear(hidden_size, 3 * hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size, bias=False)
        self.scale = nn.Parameter(torch.rand(hidden_size))
        self.has_second, self.reads_out = draw.random() < 0.5, draw.random() < 0.3
        self.read_out = nn.Linear(hidden_size, 2)

    @property
    def output_size(self) -> int:
        return 2 if self.reads_out else self.hidden_size

    def initial_state(self, batch_size: int) -> State:
        zeros = self.scale.new_zeros(batch_size, self.hidden_size)
        return self.State(zeros, zeros, self.scale.new_zeros(batch_size, 1))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        draw = random.Random(self.seed + 1000)
        values = [*self.input(x).chunk(3, -1), *self.recurrent(state.h).split(self.hidden_size, -1)]
        values += [state.memory, state.h * self.scale]
        for _ in range(6):
            kind = draw.random()
            if kind < 0.4:
                values.append(draw.choice(BINARY)(draw.choice(values), draw.choice(values)))
            elif kind < 0.8:
                values.append(draw.choice(UNARY)(torch.tanh(draw.choice(values))))
            else:
                values.append(draw.choice(ROWS)(draw.choice(values)))
        if self.has_second:
            values.append(self.second(torch.sigmoid(values[-2]) * state.h))
        slow = torch.where(state.clock % 2 == 0, 1.0, 0.25)
        memory = torch.tanh(values[-1] + draw.choice(values)) * slow + 0.5 * state.memory
        h = torch.tanh(torch.cat([values[-2][:, :1], memory[:, 1:]], -1) + draw.choice(values))
        y = self.read_out(h) if self.reads_out else h * torch.sigmoid(memory)
        return y, self.State(h, memory, state.clock + 1)


def results(cell: Cell, x: Tensor, lengths: list[int] | None, reverse: bool) -> tuple[Tensor, ...]:
    """Outputs, final states, and the gradients of a mixture of them to x and every parameter."""
    x = x.detach().requires_grad_()
    y, state = scan(cell, x, lengths=lengths, reverse=reverse)
    outputs = (y, *state)
    total = sum((out * torch.linspace(1, 2, out.numel(), dtype=out.dtype).view_as(out)).sum() for out in outputs)
    assert isinstance(total, Tensor)
    if x.dtype == torch.float32:  # the mean: a sum over all steps would round by more than the numbers it sums
        total = total / max(1, y.shape[0] * y.shape[1])
    found = torch.autograd.grad(total, [x, *cell.parameters()], materialize_grads=True)
    return (*outputs, *found)


def assert_same_both_ways(cell: Cell, x: Tensor, lengths: list[int] | None = None, reverse: bool = False) -> None:
    fused = results(cell, x, lengths, reverse)
    with plain_loop():
        assert_close(fused, results(cell, x, lengths, reverse))


@pytest.mark.parametrize("seed", range(32))
def test_drawn_cells_are_fused_and_equal_the_plain_loop(seed: int) -> None:
    torch.manual_seed(seed)
    B, T, H = [(3, 4, 7), (1, 6, 16), (5, 1, 17), (2, 9, 1)][seed % 4]
    cell = DrawnCell(3, H, seed).double()
    assert "is fused" in explain(cell, torch.float64)
    lengths = [int(n) for n in torch.randint(0, T + 1, (B,))] if seed % 3 else None
    assert_same_both_ways(cell, torch.randn(T, B, 3, dtype=torch.float64), lengths, reverse=seed % 2 == 1)


@every_cell
def test_wide_cells_in_both_precisions(entry: Entry) -> None:
    cell = build(entry, 5, 130)
    for dtype in (torch.float64, torch.float32):
        torch.manual_seed(1)
        assert_same_both_ways(cell.to(dtype), torch.randn(20, 13, 5, dtype=dtype), [20, 3, 0, 7] + [11] * 9)


def test_inference_threads_and_compile() -> None:
    layer, x = Recurrent(GRUCell(4, 8), batch_first=False), torch.randn(6, 3, 4)
    wanted = layer(x)[0].detach()
    with torch.no_grad():
        assert_close(layer(x)[0], wanted)
    with torch.inference_mode():
        assert_close(layer(x)[0].clone(), wanted.clone())
    found: list[Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(layer(x)[0].detach())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_close(tuple(found), (wanted,) * 4)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, in its compiler
def test_compiled_code_keeps_the_scan_in_one_graph() -> None:
    layer, x = Recurrent(LSTMCell(4, 8), num_layers=2, bidirectional=True), torch.randn(3, 6, 4, requires_grad=True)

    def loss(x: Tensor) -> Tensor:
        y, state = layer(torch.tanh(x))
        return y.square().sum() + state[0].c.sum()

    wanted = torch.autograd.grad(loss(x), [x, *layer.parameters()])
    compiled = torch.compile(loss, fullgraph=True)
    assert_close(torch.autograd.grad(compiled(x), [x, *layer.parameters()]), wanted)
    with torch.no_grad():
        assert_close(compiled(x), loss(x))
        longer = torch.randn(3, 9, 4)
        assert_close(compiled(longer), loss(longer))


def test_the_operator_keeps_the_rules_of_torch_library() -> None:
    cell = GRUCell(3, 4)
    number = operator.kernel_number(cell, torch.float32, False)
    x, h = torch.randn(5, 2, 3, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    learned = list(cell.parameters())
    torch.library.opcheck(torch.ops.timeloom.scan.default, (x, [h], learned, True, True, number))
    fixed = [parameter.detach() for parameter in learned]
    torch.library.opcheck(torch.ops.timeloom.scan.default, (x.detach(), [h.detach()], fixed, False, False, number))


def test_what_cannot_be_fused_runs_in_the_plain_loop_and_says_why_once() -> None:
    class SortingCell(GRUCell):
        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            return super().step(x.sort(-1).values, state)

    cell, x = SortingCell(3, 4), torch.randn(2, 2, 3)
    with pytest.warns(UserWarning, match="SortingCell runs in the plain loop, which is slower: .*sort"):
        y, _ = scan(cell, x)
    assert_close(scan(cell, x)[0], y)  # no second warning: it would be an error here
    assert "is not fused" in explain(cell)


def test_a_step_may_read_the_last_columns_pad_and_make_numbers() -> None:
    class PaddingCell(Cell):
        class State(NamedTuple):
            h: Tensor  # (B, H)

        def __init__(self, input_size: int, hidden_size: int):
            super().__init__()
            self.input_size, self.hidden_size = input_size, hidden_size
            self.input = nn.Linear(input_size, hidden_size)

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            a = self.input(x)
            h = torch.tanh(a + state.h)
            h = torch.cat([h[:, :1], a[:, 1:3] * x[:, -2:], torch.where(h > 0, h, torch.tensor(0.5))[:, 3:]], -1)
            return nn.functional.pad(h[:, :-2], (1, 1)) * h + x[:, -1:], self.State(h)

    cell, x = PaddingCell(5, 6).double(), torch.randn(3, 2, 5, dtype=torch.float64, requires_grad=True)
    leaves = [x, *cell.parameters()]
    found = scan(cell, x)[0]
    with plain_loop():
        wanted = scan(cell, x)[0]
    assert_close(found, wanted)
    mix = torch.randn_like(found)
    assert_close(torch.autograd.grad(found, leaves, mix), torch.autograd.grad(wanted, leaves, mix))


def odd_cell(step: Any, **parts: Any) -> Cell:
    """A cell in float64 of 4 inputs and 6 units, with two linear parts and what else is given."""

    class OddCell(Cell):
        class State(NamedTuple):
            h: Tensor  # (B, H)

        def __init__(self, input_size: int = 4, hidden_size: int = 6):
            super().__init__()
            self.input_size, self.hidden_size = input_size, hidden_size
            self.input, self.recurrent = nn.Linear(4, 6), nn.Linear(6, 6)
            for name, part in parts.items():
                setattr(self, name, part)

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            h = step(self, x, state.h)
            return h if isinstance(h, tuple) else (h, self.State(h))

    torch.manual_seed(0)
    return OddCell().double()


def plain(cell: Any, x: Tensor, h: Tensor) -> Tensor:
    return torch.tanh(cell.input(x) + cell.recurrent(h))


ODD = {
    "a raw parameter from the right": (
        lambda c, x, h: torch.tanh(c.input(x) + h @ c.weight),
        lambda: {"weight": nn.Parameter(torch.randn(6, 6))},
    ),
    "a part by two names": (
        lambda c, x, h: torch.tanh(c.input(x) + c.again(h) + c.recurrent(h)),
        lambda: {"again": nn.Sequential(part := nn.Linear(6, 6)), "once_more": part},
    ),
    "masks in arithmetic": (
        lambda c, x, h: plain(c, x, h) * (h > 0) + (~((h > 0) * (c.input(x) > 0))).to(x.dtype),
        dict,
    ),
    "a parameter for all sequences": (
        lambda c, x, h: plain(c, torch.cat([x[:, :2], c.extra.expand(len(x), -1)], -1), h),
        lambda: {"extra": nn.Parameter(torch.randn(2))},
    ),
    "a deviation over another axis": (
        lambda c, x, h: torch.tanh(c.input(x) + nn.functional.linear(h, c.weight / c.weight.std(0))),
        lambda: {"weight": nn.Parameter(torch.randn(6, 6))},
    ),
    "the largest of a row": (lambda c, x, h: plain(c, x, h) - h.amax(-1, keepdim=True), dict),
    "activations": (
        lambda c, x, h: nn.functional.silu(plain(c, x, h)) + nn.functional.logsigmoid(h) + torch.lerp(h, x[:, :1], 0.3),
        dict,
    ),
}


@pytest.mark.parametrize("name", list(ODD))
def test_odd_steps_are_fused_and_equal_to_the_plain_loop(name: str) -> None:
    step, parts = ODD[name]
    cell = odd_cell(step, **parts())
    kinds = [type(p) for p in cell.parameters()]
    x = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    leaves = [x, *(p for n, p in cell.named_parameters() if "recurrent" in n or "weight" in n)]
    results = []
    for way in contextlib.nullcontext, plain_loop:
        with way():  # a warning, as of a plain loop, would be an error
            y, final = scan(cell, x, lengths=[5, 2, 0])
            gradients = torch.autograd.grad(y.square().sum() + final.h.sum(), leaves, allow_unused=True)
            results.append((y, final.h, *(torch.zeros(1).double() if g is None else g for g in gradients)))
    assert_close(*results)
    assert [type(p) for p in cell.parameters()] == kinds == [nn.Parameter] * len(kinds)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda c, x, h: plain(c, x + torch.randn_like(x), h), "draws random numbers"),
        (lambda c, x, h: plain(c, x, h) / len(x), "computes with the size of the batch"),
        (lambda c, x, h: plain(c, x, h).float().double(), "computes in torch.float32 beside torch.float64"),
        (lambda c, x, h: plain(c, x.flip(0), h), "flip"),
        (lambda c, x, h: setattr(c, "last", h) or plain(c, x, h), "writes to self.last"),
    ],
)
def test_what_a_kernel_would_do_otherwise_is_left_to_the_plain_loop(step: Any, why: str) -> None:
    cell, x = odd_cell(step, last=None), torch.randn(5, 3, 4, dtype=torch.float64)
    with pytest.warns(UserWarning, match=why):
        scan(cell, x)


def test_states_may_swap() -> None:
    class SwappingCell(Cell):
        class State(NamedTuple):
            a: Tensor  # (B, H)
            b: Tensor  # (B, H)

        def __init__(self, input_size: int, hidden_size: int):
            super().__init__()
            self.input_size, self.hidden_size = input_size, hidden_size
            self.input = nn.Linear(input_size, hidden_size)

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            return state.a, self.State(state.b, 0.5 * state.a + self.input(x))

    cell, x = SwappingCell(4, 6).double(), torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    leaves, results = [x, *cell.parameters()], []
    for way in contextlib.nullcontext, plain_loop:
        with way():
            y, final = scan(cell, x)
            results.append((y, *torch.autograd.grad(y.sum() + final.b.square().sum(), leaves)))
    assert_close(*results)


def test_what_a_step_reads_elsewhere_is_looked_at_again() -> None:
    class Settings:
        def __init__(self) -> None:
            self.scale = 1.0

    cell: Any = odd_cell(lambda c, x, h: c.settings.scale * c.act(plain(c, x, h)), settings=Settings(), act=torch.tanh)
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    for change in (
        lambda: setattr(cell.settings, "scale", 2.0),
        lambda: setattr(cell, "act", torch.sigmoid),
        lambda: cell.input.weight.data.mul_(2),
    ):
        change()
        y, _ = scan(cell, x)
        with plain_loop():
            assert_close(y, scan(cell, x)[0])


def test_states_and_gradients_of_any_layout() -> None:
    cell, x = odd_cell(plain), torch.randn(5, 3, 4, dtype=torch.float64)
    h = torch.randn(6, 3, dtype=torch.float64).t().requires_grad_()
    results = []
    for way in contextlib.nullcontext, plain_loop:
        with way():
            _, final = scan(cell, x, cell.State(h))
            results.append((final.h, *torch.autograd.grad(final.h.t().contiguous().square().sum(), h)))
    assert_close(*results)


def test_an_output_that_is_the_input_is_the_callers_own() -> None:
    cell = odd_cell(lambda c, x, h: (x, c.State(plain(c, x, h))))
    type(cell).output_size = property(lambda self: 4)  # type: ignore[method-assign, assignment]
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    kept = x.clone()
    with torch.no_grad():
        scan(cell, x)[0].zero_()
    assert torch.equal(x, kept)


def test_a_cell_without_parameters_takes_states_of_its_own_type_only() -> None:
    class MeanCell(Cell):
        class State(NamedTuple):
            h: Tensor  # (B, H)

        def __init__(self, input_size: int, hidden_size: int):
            super().__init__()
            self.input_size, self.hidden_size = input_size, hidden_size

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            h = 0.9 * state.h + 0.1 * x
            return h, self.State(h)

    cell, x = MeanCell(6, 6), torch.randn(5, 3, 6)
    state = cell.State(torch.randn(3, 6, dtype=torch.float64))
    with pytest.warns(UserWarning, match="its state is of torch.float64"):
        y, _ = scan(cell, x, state)
    with plain_loop():
        assert_close(y, scan(cell, x, state)[0])


def test_threads_may_be_the_first_to_use_a_cell() -> None:
    cell, x = odd_cell(plain), torch.randn(5, 3, 4, dtype=torch.float64)
    found: list[Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(scan(cell, x)[0].detach())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with plain_loop():
        assert_close(tuple(found), (scan(cell, x)[0].detach(),) * 4)
    assert all(type(p) is nn.Parameter for p in cell.parameters())


def test_half_precision_and_autocast_run_in_the_plain_loop_and_say_so_once() -> None:
    class HalfCell(GRUCell):
        pass

    cell, x = HalfCell(3, 4), torch.randn(2, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.warns(UserWarning, match="HalfCell runs in the plain loop.*float32 or float64.*under autocast"):
            y, _ = scan(cell, x)
        assert_close(scan(cell, x)[0], y)  # no second warning: it would be an error here
    assert torch.allclose(y.float(), scan(cell, x)[0], atol=0.02)
    with pytest.warns(UserWarning, match=r"HalfCell runs in the plain loop.*this is of torch\.bfloat16 on cpu"):
        y, _ = scan(cell.bfloat16(), x.bfloat16())
    assert y.dtype == torch.bfloat16


def test_a_cell_that_changes_is_traced_again() -> None:
    class ScaledCell(GRUCell):
        factor = 1.0

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            return super().step(self.factor * x, state)

    cell, x = ScaledCell(3, 4), torch.randn(2, 2, 3)
    cell.factor = 1.0
    one = scan(cell, x)[0]
    cell.factor = 2.0
    assert not torch.allclose(scan(cell, x)[0], one)


def test_a_cache_that_cannot_be_written_is_told_and_the_kernel_still_runs(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIMELOOM_CACHE", str(tmp_path / "file" / "kernels"))
    cell = GRUCell(3, 5).double()
    with pytest.warns(UserWarning, match=r"kernels cannot be kept .*/file is no folder.*TIMELOOM_CACHE"):
        assert_same_both_ways(cell, torch.randn(4, 2, 3, dtype=torch.float64))


def test_explain_names_every_place() -> None:
    text = explain(LSTMCell(3, 4), dump=True)
    for title in ("before the loop", "in the loop:", "saved for the way back", "after the loop back", "void sweep_1("):
        assert title in text


def test_tracing_draws_no_random_numbers() -> None:
    """Else a resumed run, which traces at another step, would go on with other noise."""
    cell = GRUCell(3, 4)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    explain(cell)
    assert torch.equal(torch.rand(3), wanted)


def test_input_and_state_joined_before_the_product() -> None:
    class JoinedCell(Cell):
        class State(NamedTuple):
            h: Tensor

        def __init__(self, input_size: int, hidden_size: int):
            super().__init__()
            self.input_size, self.hidden_size = input_size, hidden_size
            self.both = nn.Linear(input_size + hidden_size, 3 * hidden_size)

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
            a, b, c = self.both(torch.cat([x, state.h], -1)).chunk(3, -1)
            h = torch.sigmoid(a) * state.h + torch.tanh(b) * c
            return h, self.State(h)

    # Pieces of seven: a batch is traced with a size that no parameter has, but a piece may well have it.
    cell = JoinedCell(4, 7).double()
    assert "is fused" in explain(cell, torch.float64)
    assert_same_both_ways(cell, torch.randn(5, 3, 4, dtype=torch.float64), [5, 1, 3])


class RemainderCell(Cell):
    """A clock's arithmetic: what is left of x after whole periods."""

    periods: Tensor

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, periods: Tensor):
        super().__init__()
        self.input_size = self.hidden_size = len(periods)
        self.scale = nn.Parameter(torch.ones(len(periods), dtype=periods.dtype))
        self.register_buffer("periods", periods)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return torch.remainder(x * self.scale, self.periods), state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_remainders_are_exactly_those_of_torch(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    inf, nan = float("inf"), float("nan")
    periods = torch.cat([torch.tensor([1.0, 2, 3, 7, -3, 0, inf, -inf, nan]), 3 * torch.randn(24)]).to(dtype)
    cell = RemainderCell(periods)
    whole = torch.arange(-40, 40).view(-1, 1, 1).expand(-1, 1, 33)
    drawn = torch.randn(200, 1, 33) * torch.logspace(-9, 12, 200).view(-1, 1, 1)
    x = torch.cat([whole, drawn, torch.tensor([inf, -inf, nan]).view(3, 1, 1).expand(-1, 1, 33)]).to(dtype)
    fused = scan(cell, x)[0]
    with plain_loop():
        plain = scan(cell, x)[0]
    assert torch.equal(fused.isnan(), plain.isnan())
    assert torch.equal(fused.nan_to_num(0), plain.nan_to_num(0))
