"""Losses of several trainings over their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure


def learning_curves(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], loss: str, baseline: float | None = None
) -> Figure:
    """A panel for each problem, a colour for each learner, a line for each of its seeds: means over windows of steps.

    `panels` has the losses of every step by panel and learner, one sequence for each seed; `loss` is what the axis is
    called; `baseline` a loss that is drawn across, of a constant answer for instance.
    """
    figure = Figure(figsize=(1 + 4.6 * len(panels), 3.8), layout="constrained")
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, learners) in zip(every, panels.items(), strict=True):
        for number, (name, seeds) in enumerate(learners.items()):
            for seed, losses in enumerate(seeds):
                window = max(1, len(losses) // 60)
                whole = len(losses) // window * window
                means = np.reshape(losses[:whole], (-1, window)).mean(1)
                steps = (np.arange(len(means)) + 1) * window
                label = name if seed == 0 else None
                axes.plot(steps, np.clip(means, 1e-5, 10), color=f"C{number}", linewidth=1.1, label=label)
        if baseline is not None:
            axes.axhline(baseline, color="0.4", linestyle=":", linewidth=1)
        axes.set(title=title, xlabel="step", yscale="log")
        axes.grid(alpha=0.3)
    every[0].set_ylabel(loss)
    every[-1].legend(fontsize="small")
    return figure
