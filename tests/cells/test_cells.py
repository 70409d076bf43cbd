"""What each cell computes: its lecture examples, its published form, its parameters."""

import math
from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from tests import oracles
from tests.catalogue import Entry, build, every_cell, random_state
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import (
    CELLS,
    CellName,
    ClockworkCell,
    CoupledLSTMCell,
    ElmanCell,
    GRUCell,
    GRUResetBeforeCell,
    IRNNCell,
    JordanCell,
    LSTM1997Cell,
    LSTMCell,
    PeepholeLSTMCell,
    SCRNCell,
    SLSTMCell,
    SRUCell,
    initialise,
)
from timeloom.core import UsageError
from timeloom.layers import LSTM, Recurrent
from timeloom.scan import Cell, scan


@pytest.mark.parametrize(
    ("x", "wanted"),
    [
        ([[1, 1], [1, 1], [2, 2]], [[4, 4], [12, 12], [32, 32]]),
        ([[1, 1], [2, 2], [1, 1]], [[4, 4], [16, 16], [36, 36]]),  # the order of the input matters
    ],
)
def test_the_lecture_example_of_all_ones(x: list[list[float]], wanted: list[list[float]]) -> None:
    cell = ElmanCell(2, 2, nonlinearity="identity", bias=False)
    output = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        for parameter in (*cell.parameters(), *output.parameters()):
            parameter.fill_(1)
    y, _ = scan(cell, torch.tensor(x, dtype=torch.float32)[:, None])  # (T, B=1, I)
    assert output(y)[:, 0].tolist() == wanted


@pytest.mark.parametrize(
    ("cell", "twin"),
    [
        (ElmanCell(3, 4), nn.RNNCell(3, 4)),
        (ElmanCell(3, 4, nonlinearity="relu"), nn.RNNCell(3, 4, nonlinearity="relu")),
        (LSTMCell(3, 4), nn.LSTMCell(3, 4)),
        (GRUCell(3, 4, bias=False), nn.GRUCell(3, 4, bias=False)),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_one_step_is_that_of_torch(cell: Cell, twin: nn.Module) -> None:
    cell, twin = cell.double(), twin.double()
    twin.load_state_dict(dict(zip(twin.state_dict(), torch_order(cell), strict=True)))
    x, state = torch.randn(5, 3).double(), [torch.randn(5, 4).double() for _ in cell.State._fields]
    wanted = twin(x, tuple(state) if len(state) > 1 else state[0])
    _, new = cell(x, tuple(state))
    assert_close(tuple(new), wanted if isinstance(wanted, tuple) else (wanted,))


def torch_order(cell: Cell) -> list[torch.Tensor]:
    """weight_ih, weight_hh, bias_ih, bias_hh."""
    parameters = cell.state_dict()
    names = ("input.weight", "recurrent.weight", "input.bias", "recurrent.bias")
    return [parameters[name] for name in names if name in parameters]


def test_a_gru_with_z_one_keeps_the_old_state() -> None:
    cell = GRUCell(2, 1)
    with torch.no_grad():
        cell.input.bias[1] = 100.0  # z, so that its sigmoid is 1
    h = torch.tensor([[0.3]])
    assert torch.equal(cell(torch.randn(1, 2), (h,))[0], h)


# Two LSTM cells of one unit, gates nearly open or shut, as they are worked by hand on a blackboard. Each input is
# (value, write, wipe, show): the memory adds tanh(value) where write is 1, is emptied where wipe is 1, and is shown
# always, or where show is 1. A weight of 100 and a bias of ∓50 make σ(±50), which is 1 or 0 to within 2e-22, so that c
# is a sum of tanh(value) that can be written down: that of the values in `memory`.
def blackboard_cell(shows: bool) -> LSTMCell:
    cell = LSTMCell(4, 1).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        w, b = cell.input.weight, cell.input.bias  # rows i, f, g, o; columns value, write, wipe, show
        w[0, 1], b[0] = 100.0, -50.0  # input gate: open where write is 1
        w[1, 2], b[1] = -100.0, 50.0  # forget gate: shut where wipe is 1
        w[2, 0] = 1.0  # candidate: tanh(value)
        w[3, 3], b[3] = (100.0, -50.0) if shows else (0.0, 50.0)  # output gate: open where show is 1, or always
    return cell


# By hand, each line one step: the gates are so steep that σ is 0 or 1, and the candidate is tanh(value).
#
#   value write wipe   i f   c = f c + i tanh(value)                h = tanh c (always shown)
#     3     1    0     1 1   0 + tanh 3            =  0.99505475    tanh 0.99505475 =  0.75950944
#     9     0    0     0 1   kept                  =  0.99505475                       0.75950944
#     4     1    0     1 1   0.99505475 + 0.99932930 = 1.99438405   tanh 1.99438405 =  0.96362865
#     9     0    1     0 0   wiped                 =  0             tanh 0          =  0
#    -1     1    0     1 1   0 + tanh(-1)          = -0.76159416    tanh(-0.76159416) = -0.64201499
#
#   value write wipe show   i f o   c                                        h = o tanh c
#     1     1    0    0     1 1 0   tanh 1                  = 0.76159416     0
#     2     1    0    1     1 1 1   0.76159416 + 0.96402758 = 1.72562174     tanh 1.72562174 = 0.93853640
#     5     0    0    0     0 1 0   kept                    = 1.72562174     0
#     6     1    1    1     1 0 1   0 + tanh 6              = 0.99998771     tanh 0.99998771 = 0.76158900
@pytest.mark.parametrize(
    ("shows", "inputs", "shown", "memory"),
    [
        (
            False,
            [(3, 1, 0, 0), (9, 0, 0, 0), (4, 1, 0, 0), (9, 0, 1, 0), (-1, 1, 0, 0)],
            [0.75950944, 0.75950944, 0.96362865, 0, -0.64201499],
            -0.76159416,
        ),
        (True, [(1, 1, 0, 0), (2, 1, 0, 1), (5, 0, 0, 0), (6, 1, 1, 1)], [0, 0.93853640, 0, 0.76158900], 0.99998771),
    ],
)
def test_the_lecture_examples_worked_by_hand(
    shows: bool, inputs: list[tuple[int, ...]], shown: list[float], memory: float
) -> None:
    y, final = scan(blackboard_cell(shows), torch.tensor(inputs, dtype=torch.float64)[:, None])
    assert y[:, 0, 0].tolist() == pytest.approx(shown, abs=1e-8)
    assert final.c.item() == pytest.approx(memory, abs=1e-8)


def reading(T: int = 6) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(T, 3, 5, dtype=torch.float64)


def same_weights(cell: Cell, parameters: dict[str, torch.Tensor]) -> Cell:
    cell = cell.double()
    with torch.no_grad():
        for name, value in parameters.items():
            cell.get_parameter(name).copy_(value)
    return cell


def lstm_rows(cell: LSTMCell, gates: str) -> dict[str, torch.Tensor]:
    """The parameters of some of an LSTM's gates i, f, g, o, in a cell with one bias."""
    at = ["ifgo".index(gate) for gate in gates]
    both = cell.input.bias + cell.recurrent.bias
    found = {"input.weight": cell.input.weight, "recurrent.weight": cell.recurrent.weight, "input.bias": both}
    return {name: torch.cat([value.chunk(4)[i] for i in at]) for name, value in found.items()}


def test_a_peephole_lstm_without_peepholes_is_an_lstm() -> None:
    lstm = LSTMCell(5, 4).double()
    other = same_weights(PeepholeLSTMCell(5, 4), lstm_rows(lstm, "ifgo"))
    assert_close(scan(other, reading()), scan(lstm, reading()))


def test_the_lstm_of_1997_is_an_lstm_that_never_forgets() -> None:
    lstm = LSTMCell(5, 4).double()
    other = same_weights(LSTM1997Cell(5, 4), lstm_rows(lstm, "igo"))
    with torch.no_grad():
        lstm.input.bias[4:8] = 1e4  # f is 1 to the last bit
    assert_close(scan(other, reading()), scan(lstm, reading()))


def test_a_coupled_lstm_is_an_lstm_with_i_one_minus_f() -> None:
    lstm = LSTMCell(5, 4).double()
    other = same_weights(CoupledLSTMCell(5, 4), lstm_rows(lstm, "fgo"))
    with torch.no_grad():  # σ(-a) = 1 - σ(a)
        for parameter in lstm.parameters():
            parameter[:4] = -parameter[4:8]
    assert_close(scan(other, reading()), scan(lstm, reading()))


def test_a_clockwork_of_period_one_is_an_elman_network() -> None:
    clockwork = ClockworkCell(5, 6, periods=(1, 1, 1)).double()
    elman = same_weights(ElmanCell(5, 6), dict(clockwork.named_parameters()))
    with torch.no_grad():
        elman.get_parameter("recurrent.bias").zero_()
    assert_close(scan(clockwork, reading())[0], scan(elman, reading())[0])


def test_a_step_of_clockwork_that_all_groups_read_is_one_of_an_elman_network_with_the_block_mask() -> None:
    clockwork = ClockworkCell(5, 6, periods=(1, 2, 4)).double()
    elman = same_weights(ElmanCell(5, 6), dict(clockwork.named_parameters()))
    group = torch.arange(6) // 2
    with torch.no_grad():
        elman.get_parameter("recurrent.weight").mul_(group[None, :] >= group[:, None])
        elman.get_parameter("recurrent.bias").zero_()
    h = torch.randn(3, 6).double()
    y, _ = clockwork(reading()[0], clockwork.State(h, torch.zeros(3, 6).double()))
    assert_close(y, elman(reading()[0], elman.State(h))[0])


def test_a_slow_group_feeds_a_fast_one_and_not_the_other_way() -> None:
    cell = ClockworkCell(5, 4, periods=(1, 2)).double()
    x = reading().requires_grad_()
    state = cell.State(torch.randn(3, 4).double().requires_grad_(), torch.zeros(3, 4).double())
    y, _ = scan(cell, x[:1], state)
    fast, slow = (
        torch.autograd.grad(y[..., part].sum(), state.h, retain_graph=True)[0] for part in (slice(2), slice(2, 4))
    )
    assert bool(fast[:, 2:].all())
    assert not slow[:, :2].any()


def test_an_scrn_without_memory_in_its_context_is_an_elman_network() -> None:
    scrn = SCRNCell(5, 4, context_size=3, alpha=0.0).double()
    elman = ElmanCell(5, 4, "sigmoid", bias=False).double()
    with torch.no_grad():
        scrn.input.bias.zero_()
        elman.input.weight.copy_(scrn.input.weight + scrn.from_context.weight @ scrn.context.weight)
        elman.recurrent.weight.copy_(scrn.recurrent.weight)
    assert_close(scan(scrn, reading())[0][..., :4], scan(elman, reading())[0])


def test_an_irnn_is_a_relu_network_that_begins_with_the_identity() -> None:
    irnn = IRNNCell(5, 4).double()
    assert torch.equal(irnn.recurrent.weight, torch.eye(4).double())
    assert not irnn.input.bias.any()
    elman = ElmanCell(5, 4, "relu").double()
    same_weights(elman, {**dict(irnn.named_parameters()), "recurrent.bias": torch.zeros(4)})
    assert_close(scan(irnn, reading())[0], scan(elman, reading())[0])
    assert torch.equal(IRNNCell(5, 4, scale=0.01).recurrent.weight, 0.01 * torch.eye(4))


def test_both_forms_of_the_gru_are_one_where_nothing_is_reset() -> None:
    gru, other = GRUCell(5, 4).double(), GRUResetBeforeCell(5, 4).double()
    with torch.no_grad():
        gru.recurrent.bias.zero_()
        gru.input.bias[:4] = 1e4  # r is 1
        other.input.weight.copy_(gru.input.weight)
        other.input.bias.copy_(gru.input.bias)
        other.recurrent.weight.copy_(gru.recurrent.weight[:8])
        other.recurrent_candidate.weight.copy_(gru.recurrent.weight[8:])
    assert_close(scan(gru, reading())[0], scan(other, reading())[0])


def test_the_scalar_memory_stands_any_size_of_gates() -> None:
    cell, x = SLSTMCell(5, 4), reading(50).float() * 1e3
    y, state = scan(cell, x)
    assert y.isfinite().all()
    assert all(field.isfinite().all() for field in state)
    y.sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in cell.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("name", "count"),
    [  # by formula, with one bias: H(H + I) + H for each gate, and what a cell has beside
        ("irnn", lambda i, h: h * (h + i) + h),
        ("jordan", lambda i, h: h * (h + i) + h + h * h + h),
        ("clockwork", lambda i, h: h * (h + i) + h),
        ("scrn", lambda i, h: h * (h + i) + h + 16 * (i + h)),
        ("indrnn", lambda i, h: h * i + 2 * h),
        ("cornn", lambda i, h: h * (2 * h + i) + h),
        ("lstm1997", lambda i, h: 3 * (h * (h + i) + h)),
        ("peephole-lstm", lambda i, h: 4 * (h * (h + i) + h) + 3 * h),
        ("coupled-lstm", lambda i, h: 3 * (h * (h + i) + h)),
        ("layer-norm-lstm", lambda i, h: 4 * (h * (h + i) + h) + 8 * h + 2 * h),
        ("slstm", lambda i, h: 4 * (h * (h + i) + h)),
        ("janet", lambda i, h: 2 * (h * (h + i) + h)),
        ("gru-reset-before", lambda i, h: 3 * (h * (h + i) + h)),
        ("mgu", lambda i, h: 2 * (h * (h + i) + h)),
        ("ligru", lambda i, h: 2 * h * (h + i) + 4 * h),
        ("cfc", lambda i, h: h * (h + i) + h + 4 * (h * h + h)),
        ("min-gru", lambda i, h: 2 * (h * i + h)),
        ("min-lstm", lambda i, h: 3 * (h * i + h)),
        ("sru", lambda i, h: 3 * h * i + 4 * h + h * i),
    ],
)
def test_parameters_by_formula(name: str, count: Callable[[int, int], int]) -> None:
    assert sum(p.numel() for p in CELLS[name](30, 40).parameters()) == count(30, 40)


def test_the_command_lines_names_are_the_cells() -> None:
    assert list(get_args(CellName)) == list(CELLS)


@pytest.mark.parametrize("name", list(CELLS))
def test_recurrent_matrices_begin_as_the_docstring_says(name: str) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](5, 8)
    for product in cell.recurrent_products:
        for block in cell.get_submodule(product).get_parameter("weight").split(8):
            if block.dim() == 2 and name not in ("elman", "lstm", "gru"):  # as torch.nn
                assert_close(block @ block.T, torch.eye(8))
    if "forget" in cell.gates and name != "lstm":
        bias = {"layer-norm-lstm": "bias", "sru": "b_f"}.get(name, "input.bias")
        at = cell.gates.index("forget") * 8 if name != "sru" else 0
        wanted = 0.0 if name == "sru" else 1.0
        assert cell.get_parameter(bias)[at : at + 8].tolist() == [wanted] * 8


def test_initialisations_by_name() -> None:
    torch.manual_seed(0)
    layer = Recurrent(LSTMCell(3, 50), num_layers=2)
    initialise(layer, "forget-bias", value=2.0)
    initialise(layer, "orthogonal")
    for cell in layer.cells:
        assert (cell.get_parameter("input.bias") + cell.get_parameter("recurrent.bias"))[50:100].tolist() == [2.0] * 50
        block = cell.get_parameter("recurrent.weight")[:50]
        assert_close(block @ block.T, torch.eye(50))
    initialise(layer, "chrono", longest=100)
    for cell in layer.cells:
        i, f = cell.get_parameter("input.bias")[:100].chunk(2)
        assert_close(i, -f)
        assert f.exp().min() >= 1
        assert 80 < f.exp().max() <= 99
    irnn = ElmanCell(3, 4)
    initialise(irnn, "identity", scale=0.5)
    assert torch.equal(irnn.recurrent.weight, 0.5 * torch.eye(4))
    with pytest.raises(UsageError, match="ElmanCell: its gates are hidden, and this wants one of forget, keep"):
        initialise(irnn, "forget-bias")
    with pytest.raises(UsageError, match="GRUCell: its keep gate has no bias"):
        initialise(GRUCell(3, 4, bias=False), "chrono")
    with pytest.raises(UsageError, match="name is 'xavier', wanted one of orthogonal"):
        initialise(irnn, "xavier")
    with pytest.raises(UsageError, match="there is no cell in LSTM"):
        initialise(LSTM(3, 4), "orthogonal")

    both = nn.ModuleList([CoupledLSTMCell(3, 4), ElmanCell(3, 4)])
    before = {name: value.clone() for name, value in both.state_dict().items()}
    with pytest.raises(UsageError, match="ElmanCell: its gates are hidden"):
        initialise(both, "forget-bias", value=3.0)
    assert all(torch.equal(value, before[name]) for name, value in both.state_dict().items())
    with pytest.raises(UsageError, match="orthogonal has no option 'value'; it has: none"):
        initialise(irnn, "orthogonal", value=3.0)


@pytest.mark.parametrize(("backbone_size", "wide"), [(8, True), (12, True), (3, False)])
def test_a_backbone_of_any_width_begins_orthogonal(backbone_size: int, wide: bool) -> None:
    weight = CELLS["cfc"](3, 4, backbone_size=backbone_size).get_parameter("recurrent.weight")
    assert_close(weight.T @ weight if wide else weight @ weight.T, torch.eye(4 if wide else 3))


@pytest.mark.parametrize(
    ("make", "oracle"),
    [
        (lambda: CELLS["janet"](3, 4, beta=0.3), partial(oracles.janet, beta=0.3)),
        (
            lambda: CELLS["cornn"](3, 4, dt=0.1, gamma=1.3, epsilon=2.2),
            partial(oracles.cornn, dt=0.1, gamma=1.3, epsilon=2.2),
        ),
        (lambda: SRUCell(4, 4, highway_bias=-1.5), partial(oracles.sru, bias=-1.5)),
        (lambda: SCRNCell(3, 4, alpha=0.7, context_size=2), partial(oracles.scrn, alpha=0.7)),
        (lambda: CELLS["cfc"](3, 4, backbone_size=6), oracles.cfc(timed=False)),
        (lambda: CELLS["indrnn"](3, 4, longest=2), partial(oracles.indrnn, most=2**0.5)),
        (lambda: SLSTMCell(3, 4, forget_gate="exp"), partial(oracles.slstm, forget=np.exp)),
        (lambda: ElmanCell(3, 4, "sigmoid", bias=False), oracles.elman(oracles.sigmoid)),
        (
            lambda: JordanCell(3, 4, output_size=2, nonlinearity="relu", output_activation="tanh"),
            oracles.jordan(oracles.relu, np.tanh),
        ),
        (lambda: GRUCell(3, 4, bias=False), oracles.gru),
        (lambda: CELLS["mgu"](3, 4, bias=False), oracles.mgu),
    ],
)
def test_options_of_cells_by_their_equations_in_numpy(make: Callable[[], Cell], oracle: oracles.Step) -> None:
    torch.manual_seed(0)
    cell = make().double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    x, state = torch.randn(6, 1, cell.input_size).double(), random_state(cell, 1)
    y, final = scan(cell, x, state)
    parameters = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    emitted, end = oracles.run(oracle, parameters, x[:, 0].numpy(), tuple(f[0].detach().numpy() for f in state))
    assert_close(y[:, 0], torch.from_numpy(emitted.copy()))
    assert_close(tuple(field[0] for field in final), tuple(torch.from_numpy(field) for field in end))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTMCell(3, 0), "LSTMCell: hidden_size is 0, wanted a whole number, 1 or more"),
        (lambda: CELLS["mgu"](3, -1), "MGUCell: hidden_size is -1, wanted a whole number"),
        (lambda: CELLS["mgu"](3, 4.0), "MGUCell: hidden_size is 4.0, wanted a whole number"),
        (lambda: CELLS["mgu"]("3", 4), "MGUCell: input_size is '3', wanted a whole number"),
        (lambda: ClockworkCell(3, 4, periods=4), "periods is 4, wanted a list"),  # type: ignore[arg-type]
        (lambda: CELLS["indrnn"](3, 4, longest=0), "IndRNNCell: longest is 0, wanted 1 or more"),
        (lambda: SLSTMCell(3, 4, forget_gate="tanh"), "forget_gate is 'tanh', wanted sigmoid or exp"),  # type: ignore[arg-type]
        (lambda: ClockworkCell(3, 4, periods=[0, 1]), r"ClockworkCell: periods is \[0, 1\]"),
        (lambda: ClockworkCell(3, 2, periods=[1, 2, 4]), "wanted from 1 to hidden_size=2 whole numbers"),
        (lambda: SCRNCell(3, 4, alpha=1.5), "SCRNCell: alpha is 1.5"),
        (lambda: SCRNCell(3, 4, alpha=1.0, learn_alpha=True), "wanted 0 < alpha < 1 where it is learned"),
        (lambda: LSTMCell(3, 4, proj_size=4), "LSTMCell: proj_size is 4, wanted 0 for none, or less than"),
        (lambda: JordanCell(3, 4, output_activation="sine"), "output_activation is 'sine'"),  # type: ignore[arg-type]
        (lambda: CELLS["cfc"](1, 4, timed=True), "timed needs an input_size of 2 or more"),
    ],
)
def test_sizes_that_make_no_cell_are_refused(make: Callable[[], Cell], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_sru_keeps_its_input_on_the_highway() -> None:
    cell = SRUCell(4, 4, highway_bias=-1e4)  # r is 0
    x = torch.randn(3, 2, 4)
    assert_close(scan(cell, x)[0], cell.alpha * x)


@pytest.mark.parametrize(("make", "gates"), [(ElmanCell, 1), (GRUCell, 3), (LSTMCell, 4)])
def test_parameters_are_counted_and_drawn_as_the_docstring_says(make: Callable[[int, int], Cell], gates: int) -> None:
    torch.manual_seed(0)
    parameters = nn.utils.parameters_to_vector(make(30, 40).parameters())
    assert len(parameters) == gates * (40 * (30 + 40) + 2 * 40)
    bound = 1 / math.sqrt(40)
    assert 0.99 * bound < parameters.abs().max() <= bound
    assert abs(parameters.mean()) < 0.05 * bound
    assert abs(parameters.std() - bound / math.sqrt(3)) < 0.05 * bound


@every_cell
def test_a_state_dict_carries_the_cell(entry: Entry) -> None:
    cell, other = build(entry, seed=1), build(entry, seed=2)
    x = torch.randn(4, 2, 3).double()
    if entry.name != "elman-relu":
        assert not torch.equal(scan(cell, x)[0], scan(other, x)[0])
    other.load_state_dict(cell.state_dict())
    assert torch.equal(scan(cell, x)[0], scan(other, x)[0])


def test_like_keeps_the_options_of_the_cells() -> None:
    elman = ElmanCell(2, 3, "relu", bias=False).like(5)
    assert (elman.nonlinearity, elman.input.bias, elman.input.in_features) == ("relu", None, 5)
    for other in LSTMCell(2, 3, bias=False).like(5), GRUCell(2, 3, bias=False).like(5):
        assert other.input.bias is None
        assert other.recurrent.bias is None


def test_a_nonlinearity_nobody_knows_is_refused() -> None:
    message = "ElmanCell: nonlinearity is 'sine', wanted one of tanh, relu, sigmoid, identity"
    with pytest.raises(UsageError, match=message):
        ElmanCell(2, 3, nonlinearity="sine")  # type: ignore[arg-type]
