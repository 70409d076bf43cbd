"""The windows of truncated training: every step scored once, and time reaching as far as was said."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeloom.core import UsageError
from timeloom.data import WindowOptions, plan_windows


@given(
    st.integers(1, 200),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.5, 0.99]),
    st.integers(0, 50),
    st.none() | st.integers(1, 60),
)
def test_every_step_is_scored_once_and_time_reaches_as_far_as_said(
    steps: int, window: int, jitter: float, reach: int, state_reach: int | None
) -> None:
    options = WindowOptions(window, jitter, reach, state_reach)
    windows = plan_windows(steps, options, seed=1, epoch=3)
    assert [step for w in windows for step in range(w.start, w.stop)] == list(range(steps))
    assert len(windows) == len(plan_windows(steps, options, seed=2, epoch=0)), "every epoch has as many steps"
    assert all(w.stop > w.start for w in windows)
    begin = 0
    for before, w in zip([None, *windows], windows, strict=False):
        begins_anew = before is None or (state_reach is not None and w.start - begin >= state_reach)
        begin = w.start if begins_anew else begin
        assert w.read == max(begin, w.start - reach), "gradients go back to here"
        assert w.fresh == (w.read == begin)
        assert before is None or begins_anew or before.carry == w.read, "the state is that of where reading goes on"


def test_lengths_vary_with_the_epoch_only_where_asked_for() -> None:
    plain, varied = WindowOptions(10), WindowOptions(10, window_jitter=0.5)
    assert plan_windows(100, plain, seed=1, epoch=0) == plan_windows(100, plain, seed=1, epoch=1)
    first, second = (plan_windows(100, varied, seed=1, epoch=epoch) for epoch in (0, 1))
    assert first != second
    assert first == plan_windows(100, varied, seed=1, epoch=0)
    assert {w.stop - w.start for w in first} != {10}
    assert all(5 <= w.stop - w.start <= 15 for w in [*first, *second])


def test_a_plan_of_millions_of_steps_is_small() -> None:
    tracemalloc.start()
    windows = plan_windows(10_000_000, WindowOptions(35, gradient_reach=5), seed=1, epoch=0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) == 285_715
    assert most < 100 * len(windows), "two numbers of eight bytes for each of five, not objects"
    assert windows[-1].stop == 10_000_000
    assert [*windows[7:9]] == [windows[7], windows[8]]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"window": 0}, "window is 0"),
        ({"window_jitter": 1.0}, "window_jitter is 1.0"),
        ({"gradient_reach": -1}, "gradient_reach is -1"),
        ({"state_reach": 0}, "state_reach is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, int], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        WindowOptions(**options)
