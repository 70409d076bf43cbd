"""Gradients through time, and how one step stretches a state."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

Flows = Mapping[str, tuple[np.ndarray, np.ndarray | None]]


def dashed_and_solid(flows: Flows) -> bool:
    return any(after is not None for _, after in flows.values())


def gradient_flow_figure(flows: Flows, eigenvalues: Mapping[str, np.ndarray], title: str) -> Figure:
    """The norm of ∂loss/∂state_t over t on the left, eigenvalues of one step beside the unit circle on the right.

    `flows` has, by name, the norms (T,) at the start, dashed, and after training, solid, where there was any. A norm of
    zero is drawn at the picture's lower edge.
    """
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    figure.suptitle(f"{title} (dashed: before training)" if dashed_and_solid(flows) else title, fontsize="medium")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    floor = 1e-30
    for number, (name, (before, after)) in enumerate(flows.items()):
        steps = np.arange(1, len(before) + 1)
        left.plot(steps, np.maximum(before, floor), "--", color=f"C{number}", linewidth=1, alpha=0.8)
        solid = [] if after is None else np.maximum(after, floor)
        left.plot(steps[: len(solid)], solid, "-", color=f"C{number}", label=name)
    left.set_yscale("log")
    left.set(xlabel="step t", ylabel="norm of ∂loss/∂state after step t")
    left.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small")
    angle = np.linspace(0, 2 * np.pi, 200)
    right.plot(np.cos(angle), np.sin(angle), color="0.6", linewidth=1)
    for number, name in enumerate(flows):
        if name in eigenvalues:
            values = eigenvalues[name]
            right.plot(np.real(values), np.imag(values), ".", color=f"C{number}", markersize=4, label=name)
    right.set_aspect("equal")
    whose = "after training" if dashed_and_solid(flows) else "untrained"
    names = textwrap.fill(f"{', '.join(eigenvalues)}, the step in the middle", 60)
    what = f"eigenvalues of ∂state'/∂state, {whose}:\n{names}"
    right.set(xlabel="real part", ylabel="imaginary part", title=what)
    right.title.set_fontsize("small")
    right.grid(alpha=0.3)
    return figure
