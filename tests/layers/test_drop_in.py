"""timeloom.LSTM, GRU and RNN in the place of torch.nn's: the same numbers, errors and habits."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import timeloom
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.layers import detached

KINDS = [
    (timeloom.LSTM, nn.LSTM, {}),
    (timeloom.LSTM, nn.LSTM, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    (timeloom.LSTM, nn.LSTM, {"proj_size": 3, "bidirectional": True, "num_layers": 2}),
    (timeloom.GRU, nn.GRU, {"num_layers": 2, "bias": False}),
    (timeloom.GRU, nn.GRU, {"bidirectional": True}),
    (timeloom.RNN, nn.RNN, {"nonlinearity": "relu", "num_layers": 2}),
]
every_kind = pytest.mark.parametrize(
    ("ours", "theirs", "options"), KINDS, ids=lambda value: value.__name__ if isinstance(value, type) else ""
)
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def pair(ours: Any, theirs: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    layer = ours(5, 8, **options)
    torch.manual_seed(0)
    twin = theirs(5, 8, **options)
    return layer.double(), twin.double()


def flat(result: Any) -> tuple[Tensor, ...]:
    y, state = result
    return (y.data if isinstance(y, PackedSequence) else y, *(state if isinstance(state, tuple) else (state,)))


def outcome(layer: nn.RNNBase, x: Any, hx: Any = None) -> tuple[Tensor, ...]:
    """Values and the gradients of every parameter."""
    found = flat(layer(x, hx))
    total = sum((part.square().sum() for part in found), torch.zeros(()).double())
    return (*found, *torch.autograd.grad(total, list(layer.parameters())))


@every_kind
def test_the_same_seed_makes_the_same_layer_and_the_same_numbers(ours: Any, theirs: Any, options: Any) -> None:
    layer, twin = pair(ours, theirs, options)
    assert list(layer.state_dict()) == list(twin.state_dict())
    assert [name for name, _ in layer.named_parameters()] == [name for name, _ in twin.named_parameters()]
    assert str(layer) == str(twin)
    assert isinstance(layer, theirs)
    x = torch.randn(4, 6, 5).double()
    assert_close(outcome(layer, x), outcome(twin, x))
    assert_close(outcome(layer, x[0]), outcome(twin, x[0]))  # one sequence without a batch
    state = detached(twin(x)[1])
    assert_close(outcome(layer, x, state), outcome(twin, x, state))
    packed = pack_sequence([torch.randn(length, 5).double() for length in (2, 6, 1)], enforce_sorted=False)
    assert_close(outcome(layer, packed), outcome(twin, packed))


@every_kind
def test_state_dicts_go_both_ways(ours: Any, theirs: Any, options: Any) -> None:
    layer, twin = pair(ours, theirs, options)
    other = ours(5, 8, **options).double()
    other.load_state_dict(twin.state_dict())
    theirs(5, 8, **options).load_state_dict(layer.state_dict())
    x = torch.randn(4, 6, 5).double()
    assert_close(outcome(other, x), outcome(twin, x))


@every_kind
def test_it_survives_what_modules_go_through(ours: Any, theirs: Any, options: Any) -> None:
    layer, twin = pair(ours, theirs, options)
    x = torch.randn(4, 6, 5).double()
    layer(x)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_close(outcome(again, x), outcome(twin, x))
        with torch.no_grad():
            again.weight_hh_l0.mul_(0.5)
        assert not torch.allclose(flat(again(x))[0], flat(layer(x))[0])
        assert_close(outcome(layer, x), outcome(twin, x))
    single, theirs_single = layer.float(), twin.float()
    assert_close(flat(single(x.float())), flat(theirs_single(x.float())))


@every_kind
def test_what_comes_out_may_be_written_over(ours: Any, theirs: Any, options: Any) -> None:
    layer, twin = pair(ours, theirs, options)
    found = []
    for each in (layer, twin):
        y = each(x := torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(0)).double().requires_grad_())[0]
        torch.relu_(y)
        found.append((y, *torch.autograd.grad(y.square().sum(), [x, *each.parameters()])))
    assert_close(*found)


def test_dropout_between_layers_draws_what_torch_draws() -> None:
    layer, twin = pair(timeloom.LSTM, nn.LSTM, {"num_layers": 3, "dropout": 0.4})
    x = torch.randn(4, 6, 5).double()
    torch.manual_seed(1)
    found = flat(layer(x))
    torch.manual_seed(1)
    assert_close(found, flat(twin(x)))


@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_dropout_of_packed_batches_draws_what_torch_draws(enforce_sorted: bool) -> None:
    layer, twin = pair(timeloom.GRU, nn.GRU, {"num_layers": 3, "dropout": 0.4, "bidirectional": True})
    lengths = (6, 4, 1) if enforce_sorted else (4, 6, 1)
    x = pack_sequence([torch.randn(n, 5).double() for n in lengths], enforce_sorted=enforce_sorted)
    torch.manual_seed(1)
    found = flat(layer(x))
    torch.manual_seed(1)
    assert_close(found, flat(twin(x)))


def test_a_traced_model_is_torchs_own() -> None:
    layer, twin = pair(timeloom.LSTM, nn.LSTM, {})
    x = torch.randn(4, 6, 5).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch: tracing is deprecated, an RNN's trace holds for one batch size
        traced: Any = torch.jit.trace(layer.eval(), (x,))
    assert_close(flat(traced(x)), flat(twin(x)))


def test_weights_that_a_program_puts_in_place_are_used() -> None:
    layer, twin = pair(timeloom.LSTM, nn.LSTM, {})
    x = torch.randn(4, 6, 5).double()
    layer(x)
    for each in layer, twin:
        nn.utils.parametrizations.weight_norm(each, "weight_hh_l0")
    assert_close(flat(layer(x)), flat(twin(x)))
    leaves: Any = [each.parametrizations.weight_hh_l0.original1 for each in (layer, twin)]
    found, wanted = (torch.autograd.grad(flat(e(x))[0].sum(), p) for e, p in zip((layer, twin), leaves, strict=True))
    assert_close(found, wanted)


@pytest.mark.parametrize("sizes", [(4, 6, 3), (5,), (0, 6, 5)])
def test_what_does_not_fit_is_refused_in_torchs_words(sizes: Any) -> None:
    layer, twin = pair(timeloom.GRU, nn.GRU, {})
    x = torch.randn(sizes).double()
    with pytest.raises((RuntimeError, ValueError)) as found:
        layer(x)
    with pytest.raises(type(found.value)) as wanted:
        twin(x)
    assert str(found.value) == str(wanted.value)


@pytest.mark.parametrize(
    ("kind", "twin_kind", "sizes", "state"),
    [
        (timeloom.GRU, nn.GRU, (4, 6, 5), torch.zeros(1, 3, 8).double()),
        (timeloom.GRU, nn.GRU, (4, 5), torch.zeros(1, 1, 8).double()),
        (timeloom.GRU, nn.GRU, (4, 6, 5), torch.zeros(1, 6, 8)),
        (timeloom.LSTM, nn.LSTM, (4, 6, 5), (torch.zeros(1, 6, 8).double(),) * 3),
        (timeloom.LSTM, nn.LSTM, (4, 6, 5), (torch.zeros(1, 8).double(),) * 2),
    ],
)
def test_a_state_that_does_not_fit_is_refused_in_torchs_words(
    kind: Any, twin_kind: Any, sizes: Any, state: Any
) -> None:
    layer, twin = pair(kind, twin_kind, {})
    x = torch.randn(sizes).double()
    with pytest.raises((RuntimeError, ValueError)) as found:
        layer(x, state)
    with pytest.raises(type(found.value)) as wanted:
        twin(x, state)
    assert str(found.value) == str(wanted.value)


def test_a_type_that_does_not_fit_is_refused_in_torchs_words() -> None:
    layer, twin = pair(timeloom.GRU, nn.GRU, {})
    with pytest.raises(ValueError, match="type") as found:
        layer(torch.randn(4, 6, 5))
    with pytest.raises(ValueError, match="type") as wanted:
        twin(torch.randn(4, 6, 5))
    assert str(found.value) == str(wanted.value)


def test_half_precision_is_torchs_own() -> None:
    layer, twin = pair(timeloom.GRU, nn.GRU, {})
    x = torch.randn(4, 6, 5).bfloat16()
    assert torch.equal(layer.bfloat16()(x)[0], twin.bfloat16()(x)[0])
