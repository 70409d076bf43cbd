"""Recurrent against torch.nn: values, states and all gradients, whatever the depth and the direction."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from tests.catalogue import Entry, every_twin
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import GRUCell, LSTMCell
from timeloom.core import Padded
from timeloom.layers import Recurrent

TORCH_NAMES = {
    "input.weight": "weight_ih",
    "recurrent.weight": "weight_hh",
    "input.bias": "bias_ih",
    "recurrent.bias": "bias_hh",
    "projection.weight": "weight_hr",
}
INPUT, HIDDEN = 3, 4
depths = pytest.mark.parametrize("num_layers", [1, 2, 3])
both_directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])


def twins(
    entry: Entry, num_layers: int, bidirectional: bool, dtype: torch.dtype = torch.float64
) -> tuple[Recurrent, nn.RNNBase]:
    """A layer and the torch.nn module with the same weights, both (B, T, ...)."""
    assert entry.twin is not None
    torch.manual_seed(0)
    layer = Recurrent(entry.make(INPUT, HIDDEN), num_layers, bidirectional).to(dtype)
    twin = entry.twin(INPUT, HIDDEN, num_layers=num_layers, bidirectional=bidirectional, batch_first=True).to(dtype)
    twin.load_state_dict({torch_name(layer, name): value for name, value in layer.state_dict().items()})
    return layer, twin


def torch_name(layer: Recurrent, name: str) -> str:
    """`cells.3.input.weight` of a two-way layer is `weight_ih_l1_reverse`."""
    _, number, rest = name.split(".", 2)
    depth, direction = divmod(int(number), 2) if layer.bidirectional else (int(number), 0)
    return f"{TORCH_NAMES[rest]}_l{depth}" + "_reverse" * direction


def noise_state(layer: Recurrent, batch_size: int) -> tuple[Any, ...]:
    return tuple(
        cell.State(*(torch.randn_like(field).requires_grad_() for field in cell.initial_state(batch_size)))
        for cell in layer.cells
    )


def as_torch(state: tuple[Any, ...]) -> Any:
    """A state in torch.nn's form: h (layers, B, H), or h and c."""
    fields = [torch.stack(fields) for fields in zip(*state, strict=True)]
    return tuple(fields) if len(fields) > 1 else fields[0]


def mixture(*tensors: Tensor) -> Tensor:
    """One number in which every entry of every tensor weighs differently."""
    entries = torch.cat([tensor.flatten() for tensor in tensors])
    return entries @ torch.linspace(-1, 2, len(entries), dtype=entries.dtype)


def assert_twins_agree(layer: Recurrent, twin: nn.RNNBase, x: Any, leaf: Tensor, state: tuple[Any, ...]) -> None:
    """Values and all gradients of the two modules on the same input; `leaf` is what x was made from."""
    y, final = layer(x, state)
    wanted_y, wanted_final = twin(x, as_torch(state))
    data, wanted_data = (y.data, wanted_y.data) if isinstance(y, PackedSequence) else (y, wanted_y)
    found, wanted = as_torch(final), wanted_final
    assert_close(data, wanted_data)
    assert_close(found, wanted)
    inputs = [leaf, *(field for part in state for field in part)]
    ours, theirs = dict(layer.named_parameters()), dict(twin.named_parameters())
    found = torch.autograd.grad(mixture(data, *as_tuple(found)), [*inputs, *ours.values()], retain_graph=True)
    names = [torch_name(layer, name) for name in ours]
    wanted = torch.autograd.grad(mixture(wanted_data, *as_tuple(wanted)), [*inputs, *(theirs[n] for n in names)])
    assert_close(tuple(found), tuple(wanted))


def as_tuple(value: Any) -> tuple[Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


@every_twin
@depths
@both_directions
def test_equal_to_torch(entry: Entry, num_layers: int, bidirectional: bool) -> None:
    layer, twin = twins(entry, num_layers, bidirectional)
    x = torch.randn(2, 5, INPUT, dtype=torch.float64, requires_grad=True)
    assert_twins_agree(layer, twin, x, x, noise_state(layer, 2))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@every_twin
def test_equal_to_torch_in_single_precision(entry: Entry) -> None:
    layer, twin = twins(entry, 2, True, torch.float32)
    x = torch.randn(2, 5, INPUT, requires_grad=True)
    assert_twins_agree(layer, twin, x, x, noise_state(layer, 2))


@every_twin
@depths
@both_directions
@pytest.mark.parametrize("lengths", [[2, 5, 1, 5], [4, 3, 1]], ids=["unsorted", "sorted"])
def test_equal_to_torch_on_packed_sequences(
    entry: Entry, num_layers: int, bidirectional: bool, lengths: list[int]
) -> None:
    layer, twin = twins(entry, num_layers, bidirectional)
    leaf = torch.randn(sum(lengths), INPUT, dtype=torch.float64, requires_grad=True)
    packed = pack_sequence(list(leaf.split(lengths)), enforce_sorted=lengths == sorted(lengths, reverse=True))
    assert_twins_agree(layer, twin, packed, leaf, noise_state(layer, len(lengths)))


def test_a_packed_output_is_packed_as_the_input() -> None:
    layer = Recurrent(GRUCell(INPUT, HIDDEN))
    packed = pack_sequence([torch.randn(length, INPUT) for length in (1, 3, 1, 3)], enforce_sorted=False)
    y, _ = layer(packed)
    for name in "batch_sizes", "sorted_indices", "unsorted_indices":
        assert torch.equal(getattr(y, name), getattr(packed, name))


@every_twin
def test_without_a_state_both_begin_at_zero(entry: Entry) -> None:
    layer, twin = twins(entry, 2, True)
    x = torch.randn(2, 5, INPUT, dtype=torch.float64)
    (y, final), (wanted_y, wanted_final) = layer(x), twin(x)
    assert_close((y, as_torch(final)), (wanted_y, wanted_final))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 2), st.booleans())
def test_alone_is_as_in_company(lengths: list[int], num_layers: int, bidirectional: bool) -> None:
    layer = Recurrent(LSTMCell(INPUT, HIDDEN), num_layers, bidirectional).double()
    sequences = [torch.randn(length, INPUT, dtype=torch.float64) for length in lengths]
    padded = Padded.from_list(sequences, padding_value=float("nan"))
    y, final = layer(padded)
    assert torch.equal(y.lengths, padded.lengths)
    for b, sequence in enumerate(sequences):
        alone, alone_final = layer(sequence[None])
        assert_close(y.to_list()[b], alone[0])
        assert_close(tuple(tuple(f[b : b + 1] for f in part) for part in final), alone_final)
    assert not y.data[~padded.mask()].any()


def test_all_kinds_of_input_say_the_same() -> None:
    torch.manual_seed(0)
    layer = Recurrent(LSTMCell(INPUT, HIDDEN), 2, bidirectional=True)
    turned = Recurrent(LSTMCell(INPUT, HIDDEN), 2, bidirectional=True, batch_first=False)
    turned.load_state_dict(layer.state_dict())
    padded = Padded.from_list([torch.randn(length, INPUT) for length in (2, 5, 3)], padding_value=float("nan"))
    y, final = layer(padded)
    for other, other_final in (
        layer(padded.data, lengths=padded.lengths),
        layer(padded.data, lengths=[2, 5, 3]),
        tuple(map(first_axes_swapped, turned(padded.data.transpose(0, 1), lengths=padded.lengths))),
        (turned(padded)[0].data, turned(padded)[1]),
        (Padded.from_packed(layer(padded.pack())[0]).data, layer(padded.pack())[1]),
    ):
        assert_close(other, y.data)
        assert_close(other_final, final)


def first_axes_swapped(value: Any) -> Any:
    return value.transpose(0, 1) if isinstance(value, Tensor) else value


@depths
@both_directions
def test_an_empty_batch_and_no_steps(num_layers: int, bidirectional: bool) -> None:
    layer = Recurrent(LSTMCell(INPUT, HIDDEN), num_layers, bidirectional)
    y, final = layer(torch.zeros(0, 5, INPUT))
    assert y.shape == (0, 5, layer.output_size)
    assert all(field.shape == (0, HIDDEN) for part in final for field in part)
    state = noise_state(layer, 2)
    y, final = layer(torch.zeros(2, 0, INPUT), state)
    assert y.shape == (2, 0, layer.output_size)
    assert_close(final, state)
