"""Units that are held for a step: zoneout, and what it must not do to clocks and scales."""

from __future__ import annotations

import math

import pytest
import torch

from tests.catalogue import WIDTH, B, Entry, T, build, every_cell, reading
from tests.tolerances import assert_close
from tests.ways import both_ways  # noqa: F401
from timeloom.cells import (
    ClockworkCell,
    LSTMCell,
    SLSTMCell,
)
from timeloom.core import UsageError
from timeloom.layers import Recurrent
from timeloom.layers.varied import Varied
from timeloom.scan import plain_loop


@every_cell
def test_zoneout_after_training_is_the_mean_and_none_is_none(entry: Entry) -> None:
    cell, x = build(entry), reading()
    layer = Recurrent(cell, zoneout=0.25).eval()
    y, final = layer(x)
    state, emitted = cell.initial_state(B), []
    for t in range(T):
        out, new = cell.step(x[:, t], state)
        mixed = {name: 0.25 * old + 0.75 * now for name, old, now in zip(state._fields, state, new, strict=True)}
        if entry.name == "clockwork":
            mixed["t"] = new.t  # the clock goes on
        if entry.name == "slstm":  # c and n stand in units of exp(m); m says so and is no memory itself
            scale = torch.maximum(state.m, new.m) if t > 0 else new.m
            for name in ("c", "n"):
                true = 0.25 * getattr(state, name) * state.m.exp() + 0.75 * getattr(new, name) * new.m.exp()
                mixed[name] = true / scale.exp()
            mixed["m"] = scale
        if entry.name.startswith("scrn"):
            emitted.append(torch.cat([mixed["h"], mixed["s"]], -1))
        else:
            names = [name for name, now in zip(new._fields, new, strict=True) if now is out]
            emitted.append(mixed[names[0]] if names else out)
        state = cell.State(**mixed)
    assert_close(y, torch.stack(emitted, 1))
    assert_close(tuple(final[0]), tuple(state))
    with torch.no_grad():  # step after step it is the same
        parts, state = [], None
        for t in range(T):
            part, state = layer.step(x[:, t], state)
            parts.append(part)
        assert_close(torch.stack(parts, 1), y.detach())
    varied = Varied(cell, resets=False, zoneout=True, masked=False)
    none = torch.zeros(B, T, sum(varied.widths), dtype=torch.float64)
    assert_close(Recurrent(varied)(torch.cat([x, none], -1))[0], Recurrent(cell)(x)[0])


def test_zoneout_in_training_keeps_whole_units() -> None:
    layer, x = Recurrent(LSTMCell(WIDTH, 50).double(), zoneout=0.5), reading()
    y, _, (states,) = layer(x, all_states=True)
    held_h = states.h[:, 1:] == states.h[:, :-1]
    held_c = states.c[:, 1:] == states.c[:, :-1]
    assert torch.equal(held_h, held_c)
    assert 0.4 < held_h.double().mean() < 0.6
    assert torch.equal(y, states.h)


def test_a_clock_goes_on_while_units_are_held() -> None:
    layer, x = Recurrent(ClockworkCell(WIDTH, 4).double(), zoneout=0.9), reading()
    _, final = layer(x)
    assert final[0].t.tolist() == [[T % period for period in (1, 2, 4, 8)]] * B


def test_a_clock_that_has_gone_round_is_on_time() -> None:
    cell = ClockworkCell(WIDTH, 2, periods=[1, 3]).double()
    x = torch.randn(1, 20, WIDTH, dtype=torch.float64)
    _, _, (states,) = Recurrent(cell)(x, all_states=True)
    slow = states.h[0, :, 1]
    changed = {t for t in range(1, 20) if slow[t] != slow[t - 1]}
    assert changed == set(range(3, 20, 3))


def test_a_clock_keeps_time_in_numbers_of_few_bits() -> None:
    periods = [2, 3, 11, 128]  # which begin anew together after 4,224 steps, more than bfloat16 can count
    cell = ClockworkCell(WIDTH, 4, periods=periods).bfloat16()
    with plain_loop():
        _, (_,), (states,) = Recurrent(cell)(torch.randn(1, 700, WIDTH).bfloat16(), all_states=True)
    changes = (states.h[0, 1:] != states.h[0, :-1]).nonzero()  # (step, unit)
    for unit, period in enumerate(periods):
        changed, due = set((changes[changes[:, 1] == unit, 0] + 1).tolist()), set(range(period, 700, period))
        assert changed <= due
        assert len(changed) >= 0.8 * len(due)  # two values may be the same number of few bits


def test_a_period_that_a_type_cannot_count_is_refused_and_comes_back_with_its_bits() -> None:
    cell = ClockworkCell(WIDTH, 2, periods=[1, 129]).bfloat16()
    with pytest.raises(UsageError, match="bfloat16 cannot count to the longest period, 129"):
        cell.initial_state(1)
    assert cell.float().unit_periods.tolist() == [1.0, 129.0]


def test_the_scale_of_an_slstm_s_memory_is_nothing_that_zoneout_sees() -> None:
    layer, x = Recurrent(SLSTMCell(WIDTH, 4).double(), zoneout=0.3).eval(), reading()
    _, (state,) = layer(x)
    other = state._replace(c=state.c * math.exp(3), n=state.n * math.exp(3), m=state.m - 3)
    assert_close(layer(x, (other,))[0], layer(x, (state,))[0])


def test_an_slstm_that_holds_its_scale_for_long_loses_no_digits() -> None:
    torch.manual_seed(0)
    layer, x = Recurrent(SLSTMCell(WIDTH, 8), zoneout=0.05).eval(), 50 * torch.randn(4, 200, WIDTH)
    found = layer(x)[0]
    assert_close(found, layer.double()(x.double())[0].float())
