"""The options of a layer, each against what it means written out by hand, for every cell."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import timeloom
from tests.catalogue import WIDTH, B, Entry, T, build, every_cell, every_stack, reading
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import (
    CELLS,
    CfCCell,
    ElmanCell,
    GRUCell,
    JordanCell,
    LSTMCell,
    MGUCell,
    MinGRUCell,
    SLSTMCell,
    SRUCell,
    initialise,
)
from timeloom.core import ShapeError, UsageError
from timeloom.layers import Recurrent, detached
from timeloom.scan import Cell, plain_loop


@every_stack
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])
def test_a_reset_is_a_new_sequence(entry: Entry, bidirectional: bool) -> None:
    layer, x = Recurrent(build(entry), bidirectional=bidirectional), reading()
    resets = torch.zeros(B, T, dtype=torch.bool)
    resets[1, 3] = resets[2, 0] = resets[2, 5] = True
    y, final = layer(x, resets=resets)
    first, end = layer(x[1:2, :3])
    second, _ = layer(x[1:2, 3:])
    assert_close(y[1:2], torch.cat([first, second], 1))
    assert_close(y[0:1], layer(x[0:1])[0])
    assert_close(y[2:3], torch.cat([layer(x[2:3, :5])[0], layer(x[2:3, 5:])[0]], 1))
    if bidirectional:
        assert_close(tuple(f[1:2] for f in final[1]), tuple(end[1]))
    (before,) = torch.autograd.grad(y[1, 3:].sum(), x)
    assert not before[1, :3].any()  # nothing of the sequence before reaches the new one


@every_stack
def test_every_option_on_every_cell_by_the_kernel(entry: Entry, both_ways: str) -> None:  # noqa: F811
    if both_ways == "plain":
        return  # there is no other way to compare with
    cell = build(entry)
    products = entry.name != "average" and bool(cell.recurrent_products)
    layer = Recurrent(
        cell,
        bidirectional=True,
        locked_dropout=0.2,
        recurrent_dropout=0.2 * products,
        weight_dropout=0.2 * products,
        zoneout=0.2,
        learn_initial_state=True,
    )
    x, resets = reading(), torch.rand(B, T) < 0.2
    found = []
    for way in (contextlib.nullcontext, plain_loop):
        torch.manual_seed(5)
        with way():
            y, final = layer(x, lengths=[T, 2, 5], resets=resets)
            found.append((y, torch.autograd.grad(y.square().sum(), [x, *layer.parameters()], allow_unused=True)))
        assert not y[1, 2:].any()
        assert len(final) == 2
    assert_close(found[0][0], found[1][0])
    for fused, plain in zip(found[0][1], found[1][1], strict=True):
        assert (fused is None) == (plain is None) or not (fused if plain is None else plain).any()
        if fused is not None and plain is not None:
            assert_close(fused, plain)


def test_options_may_change_between_calls() -> None:
    layer, x = Recurrent(GRUCell(WIDTH, 4).double()).eval(), reading()
    resets = torch.zeros(B, T, dtype=torch.bool)
    layer(x, resets=resets)
    layer.zoneout = 0.2
    assert_close(layer(x, resets=resets)[0], Recurrent(layer.cells[0], zoneout=0.2).eval()(x)[0])
    layer.cells[0] = MGUCell(WIDTH, 4).double()  # type: ignore[index]
    assert_close(layer(x, resets=resets)[0], Recurrent(layer.cells[0], zoneout=0.2).eval()(x)[0])


def test_resets_in_the_padding_say_nothing() -> None:
    layer, x = Recurrent(GRUCell(WIDTH, 4), bidirectional=True).double(), reading()
    resets, state = torch.zeros(B, T, dtype=torch.bool), layer(x)[1]
    plain = layer(x, state, lengths=[4, 7, 2], resets=resets)
    resets[0, 4] = resets[2, 2] = resets[2, 5] = True
    assert_close(layer(x, state, lengths=[4, 7, 2], resets=resets), plain)


def test_a_residual_carries_what_was_not_dropped() -> None:
    layer, x = Recurrent(GRUCell(WIDTH, 4), 2, residual=True, locked_dropout=0.9, dropout=0.9).double(), reading()
    with torch.no_grad():
        for parameter in layer.cells[1].parameters():
            parameter.zero_()
    torch.manual_seed(3)
    y = layer(x)[0]
    torch.manual_seed(3)
    assert_close(y, Recurrent(layer.cells[0], locked_dropout=0.9)(x)[0])
    layer.locked_dropout = 0.0
    with torch.no_grad():  # dropout between layers acts in step, too, and not on what is carried
        assert_close(layer.step(x[:, 0])[0], layer.cells[0](x[:, 0])[0])


class ByWeightCell(Cell):
    """Reads its recurrent weight without calling the module, so that no mask can reach what it reads."""

    class State(NamedTuple):
        h: Tensor  # (B, H)

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.input, self.recurrent = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(x) + nn.functional.linear(state.h, self.recurrent.weight))
        return h, self.State(h)


def test_a_mask_that_reaches_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="masks what a recurrent product reads, and the step does not call Linear"):
        Recurrent(ByWeightCell(WIDTH, 4).double(), recurrent_dropout=0.5)(reading())


def test_options_beside_weight_norm() -> None:
    cell = ElmanCell(WIDTH, 4).double()
    nn.utils.parametrizations.weight_norm(cell.recurrent)
    y = Recurrent(cell, recurrent_dropout=0.5)(reading())[0]
    assert y.isfinite().all()
    with pytest.raises(UsageError, match="computed from others"):
        Recurrent(cell, weight_dropout=0.5)(reading())


def test_a_learned_state_packs_into_any_file() -> None:
    layer = Recurrent(LSTMCell(WIDTH, 4), learn_initial_state=True)
    assert all(tensor.is_contiguous() for tensor in layer.pack_state(layer.initial_state(2)).values())
    assert detached(None) is None
    assert [len(Recurrent(SLSTMCell(WIDTH, 4), learn_initial_state=True).learned)] == [1]


@pytest.mark.parametrize("name", [name for name, kind in CELLS.items() if kind.recurrent_products])
def test_recurrent_dropout_is_one_mask_for_a_sequence(name: str) -> None:
    torch.manual_seed(0)
    cell, x = CELLS[name](WIDTH, 4).double(), reading()
    layer = Recurrent(cell, recurrent_dropout=0.5)
    torch.manual_seed(1)
    y, _ = layer(x)
    torch.manual_seed(1)
    varied = layer._varied_of(0, resets=False)
    masks = [torch.nn.functional.dropout(mask, 0.5) for mask in varied.initial_state(B)[varied.own :]]
    assert all(set(mask.unique().tolist()) == {0.0, 2.0} for mask in masks)
    handles = [
        cell.get_submodule(product).register_forward_pre_hook(lambda _, given, mask=mask: (given[0] * mask,))
        for product, mask in zip(cell.recurrent_products, masks, strict=True)
    ]
    state, emitted = cell.initial_state(B), []
    for t in range(T):
        out, state = cell.step(x[:, t], state)
        emitted.append(out)
    for handle in handles:
        handle.remove()
    assert_close(y, torch.stack(emitted, 1))
    assert_close(layer.eval()(x)[0], Recurrent(cell)(x)[0])


def test_weight_dropout_is_one_mask_for_all() -> None:
    cell, x = ElmanCell(WIDTH, 6).double(), reading()
    layer = Recurrent(cell, weight_dropout=0.5)
    torch.manual_seed(1)
    y, _ = layer(x)
    (found,) = torch.autograd.grad(y.sum(), cell.recurrent.weight)
    torch.manual_seed(1)
    mask = torch.nn.functional.dropout(torch.ones_like(cell.recurrent.weight), 0.5)
    other = ElmanCell(WIDTH, 6).double()
    other.load_state_dict(cell.state_dict())
    with torch.no_grad():
        other.recurrent.weight.mul_(mask)
    wanted = Recurrent(other)(x)[0]
    assert_close(y, wanted)
    assert_close(found, torch.autograd.grad(wanted.sum(), other.recurrent.weight)[0] * mask)
    assert_close(layer.eval()(x)[0], Recurrent(cell)(x)[0])


def test_locked_dropout_drops_the_same_features_in_every_step() -> None:
    cell = MinGRUCell(WIDTH, 4).double()
    layer, x = Recurrent(cell, locked_dropout=0.5), reading()
    torch.manual_seed(3)
    y, _ = layer(x)
    torch.manual_seed(3)
    mask = torch.nn.functional.dropout(torch.ones(1, B, WIDTH).double(), 0.5)[0]
    assert_close(y, Recurrent(cell)(x * mask[:, None])[0])


@every_stack
def test_layers_of_different_sizes_and_residuals(entry: Entry) -> None:
    torch.manual_seed(0)
    x = reading()
    with plain_loop():  # the layers' own: what a kernel does with each cell is tested elsewhere
        if entry.name != "jordan-softmax":  # whose state has a width of its own
            layer = Recurrent(entry.make(WIDTH, 6), hidden_sizes=[6, 4, 2], bidirectional=True).double()
            y, final = layer(x)
            assert y.shape == (B, T, 2 * layer.cells[-1].output_size)
            assert [cell.hidden_size for cell in layer.cells] == [6, 6, 4, 4, 2, 2]
            below = [Recurrent(cell) for cell in layer.cells]
            assert_close(final[0][0], below[0](x)[1][0][0])
        layer = Recurrent(entry.make(WIDTH, 6), num_layers=3, residual=True).double()
        one, two, three = (Recurrent(cell) for cell in layer.cells)
        first = one(x)[0]
        second = first + two(first)[0]
        assert_close(layer(x)[0], second + three(second)[0])


@every_cell
def test_a_learned_initial_state_begins_as_the_cells_own_and_learns(entry: Entry) -> None:
    cell, x = build(entry), reading()
    layer = Recurrent(cell, learn_initial_state=True)
    y, _ = layer(x)
    assert_close(y, Recurrent(cell)(x)[0])
    gradients = torch.autograd.grad(y.square().sum(), list(layer.learned), allow_unused=True)
    assert any(g is not None and bool(g.any()) for g in gradients) or entry.name in ("elman-relu", "irnn")
    with torch.no_grad():
        for field in layer.learned:
            field.add_(0.1)
    resets = torch.zeros(B, T, dtype=torch.bool)
    resets[:, 4] = True  # a new sequence begins in what was learned
    assert_close(layer(x, resets=resets)[0][:, 4:], layer(x[:, 4:])[0])


@every_cell
def test_windows_with_the_state_carried_are_the_whole(entry: Entry) -> None:
    layer, x = Recurrent(build(entry)), reading()
    whole, final, every = layer(x, all_states=True)
    first, state = layer(x[:, :4])
    assert_close(tuple(tuple(f[:, 3] for f in part) for part in every), tuple(tuple(part) for part in state))
    carried = layer.unpack_state(layer.pack_state(detached(state)))
    assert not any(field.requires_grad for part in carried for field in part)
    second, end = layer(x[:, 4:], carried)
    assert_close(torch.cat([first, second], 1), whole)
    assert_close(end, final)


def test_everything_at_once_and_pickled() -> None:
    options: dict[str, Any] = {
        "locked_dropout": 0.2,
        "recurrent_dropout": 0.2,
        "zoneout": 0.2,
        "weight_dropout": 0.2,
        "learn_initial_state": True,
    }
    layer = Recurrent(
        LSTMCell(WIDTH, 5), num_layers=2, bidirectional=True, residual=True, dropout=0.1, **options
    ).double()
    x, resets = reading(), torch.rand(B, T) < 0.2
    torch.manual_seed(5)
    y, _, _ = layer(x, lengths=[7, 0, 4], resets=resets, all_states=True)
    assert not y[2, 4:].any()
    again = pickle.loads(pickle.dumps(layer))
    torch.manual_seed(5)
    assert_close(again(x, lengths=[7, 0, 4], resets=resets)[0], y)


@pytest.mark.parametrize("name", list(CELLS))
def test_every_cell_has_a_layer_of_its_name(name: str) -> None:
    kind = CELLS[name]
    if kind in (LSTMCell, GRUCell):
        return
    layer = getattr(timeloom, kind.__name__.removesuffix("Cell"))(WIDTH, 4, num_layers=2, zoneout=0.1)
    assert [type(cell) for cell in layer.cells] == [kind, kind]
    with plain_loop():
        assert layer(torch.randn(B, T, WIDTH))[0].shape == (B, T, layer.output_size)
    text = timeloom.describe(layer)
    assert f"{sum(p.numel() for p in layer.cells[0].parameters()):,}" in text
    assert "h'" in text or "h  =" in text or "y'" in text
    assert timeloom.references(layer).count("@") == len(kind.sources)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ElmanCell(4, 6), "72 = H(I + H) + 2H"),
        (lambda: ElmanCell(4, 6, bias=False), "60 = 24 + 36"),
        (lambda: LSTMCell(4, 6, proj_size=2), "204 = 96 + 24 + 48 + 24 + 12"),
        (lambda: SRUCell(6, 6), "132 = 3H·I + 4H"),
        (lambda: SRUCell(4, 6), "120 = 6 + 6 + 72 + 24 + 6 + 6"),
        (lambda: JordanCell(4, 6, output_size=3), "69 = H(I + O) + H + O·H + O"),
    ],
)
def test_a_formula_is_given_only_where_it_gives_the_count(make: Callable[[], Cell], said: str) -> None:
    assert f"parameters  {said}\n" in timeloom.describe(make())


class Unfinished(Cell):
    """What a beginner forgets: the sizes, if not `sized`, and the state, which `step` does not give back."""

    class State(NamedTuple):
        h: Tensor

    def __init__(self, input_size: int, hidden_size: int, sized: bool):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        if sized:
            self.input_size, self.hidden_size = input_size, hidden_size

    def step(self, x: Tensor, state: State) -> Any:
        return self.input(x)


def test_what_a_cell_lacks_is_said_whatever_a_layer_does_with_it() -> None:
    for use in (Recurrent, lambda cell: cell(torch.randn(2, 3))):
        with pytest.raises(UsageError, match="Unfinished: its __init__ set no input_size"):
            use(Unfinished(3, 4, sized=False))
    for zoneout in (0.0, 0.1):
        with pytest.raises(ShapeError, match=r"Unfinished\.step: what came back is not an emission and a State"):
            Recurrent(Unfinished(3, 4, sized=True), zoneout=zoneout)(torch.randn(2, 5, 3))


def test_a_batch_without_steps_may_have_resets() -> None:
    layer = Recurrent(GRUCell(WIDTH, 6).double(), bidirectional=True)
    y, _ = layer(torch.zeros(B, 0, WIDTH).double(), resets=torch.ones(B, 0, dtype=torch.bool))
    assert y.shape == (B, 0, 12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recurrent(MinGRUCell(2, 3), recurrent_dropout=0.1), "MinGRUCell: recurrent_dropout acts on products"),
        (lambda: Recurrent(CfCCell(2, 3, timed=True), num_layers=2), "CfCCell reads the time"),
        (lambda: timeloom.CfC(2, 3, timed=True, bidirectional=True), "CfCCell reads the time"),
        (lambda: timeloom.LSTM(2, 3, zoneout=0.1), r"Build Recurrent\(LSTMCell\("),
        (lambda: timeloom.MGU(3, 0), "MGU: hidden_size is 0"),
        (lambda: timeloom.MGU("3", 4), "MGU: input_size is '3', wanted a whole number"),  # type: ignore[arg-type]
        (lambda: timeloom.IRNN(0, 4), "IRNN: input_size is 0, wanted a whole number"),
        (lambda: Recurrent(GRUCell(2, 3), bidirectional="False"), "bidirectional is 'False', wanted True or False"),  # type: ignore[arg-type]
        (lambda: Recurrent(GRUCell(2, 3), num_layers="2"), "num_layers is '2', wanted a whole number"),  # type: ignore[arg-type]
        (lambda: initialise(GRUCell(2, 3), "chrono", longest="x"), "longest is 'x', wanted 3 or more"),  # type: ignore[arg-type]
        (lambda: timeloom.Elman(3, 4, nonlinearity="softmax"), "nonlinearity is 'softmax', wanted one of tanh, relu"),
        (lambda: timeloom.Clockwork(3, 4, periods=[1, 1.5]), "wanted from 1 to hidden_size=4 whole numbers"),
        (lambda: initialise(MinGRUCell(2, 3), "orthogonal"), "it has no recurrent matrix"),
        (lambda: Recurrent(GRUCell(2, 3), hidden_sizes=3), "hidden_sizes is 3, wanted a list"),  # type: ignore[arg-type]
        (lambda: Recurrent(GRUCell(2, 3)).pack_state(None), "the state is None"),  # type: ignore[arg-type]
        (lambda: Recurrent(GRUCell(2, 3), zoneout=1.5), "zoneout is 1.5, wanted 0 ≤ zoneout < 1"),
        (lambda: Recurrent(GRUCell(2, 3), hidden_sizes=[4, 3]), "hidden_sizes is .* beside a cell of hidden_size=3"),
        (lambda: Recurrent(GRUCell(2, 3), hidden_sizes=[3, 4], residual=True), "residual cannot add the 3 features"),
        (lambda: Recurrent(GRUCell(2, 3), num_layers=1.5), "num_layers is 1.5"),  # type: ignore[arg-type]
        (lambda: timeloom.MGU(2, 3, periods=3), "MGU: there is no option periods; there are batch_first, bias"),
        (lambda: Recurrent(GRUCell(2, 3), zoneout=0.1).step(torch.randn(1, 2)), r"Call layer\.eval\(\) first"),
        (lambda: Recurrent(GRUCell(2, 3)).unpack_state({}), "the state has no tensor '0.h'"),
        (lambda: Recurrent(GRUCell(2, 3)).unpack_state({"0.h": torch.zeros(5, 4)}), r"is \(5, 4\), wanted \(B, 3\)"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_resets_must_fit() -> None:
    with pytest.raises(ShapeError, match=r"resets: \(3, 6\), wanted a tensor \(3, 7\)"):
        Recurrent(GRUCell(WIDTH, 3)).double()(reading(), resets=torch.zeros(3, 6))
