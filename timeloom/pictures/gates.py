"""Gates over the steps of a sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

WIDEST = 30.0  # inches


def gates_figure(
    words: Sequence[str],
    gates: Mapping[str, np.ndarray],
    saturation: Mapping[str, float],
    title: str,
    most: int = 24,
) -> Figure:
    """A row for each gate: its units over the steps on the left, a histogram of all its values on the right.

    Gates are (T, H) by name, from -1 or 0 to 1. Of H units the `most` that vary most are shown, a line each, in the
    order of when they are highest. `saturation` is the share of values where the slope is gone.
    """
    figure = Figure(
        figsize=(3.0 + min(max(5.0, 0.42 * len(words)), WIDEST), 0.9 + 1.55 * len(gates)), layout="constrained"
    )
    figure.suptitle(title, fontsize="medium")
    panels = figure.subplots(len(gates), 2, width_ratios=[4, 1], squeeze=False)
    for row, (name, values) in enumerate(gates.items()):
        left, right = panels[row]
        chosen = np.argsort(-values.std(0))[:most]
        chosen = chosen[np.argsort(values[:, chosen].argmax(0), kind="stable")]
        lowest = -1.0 if values.min() < 0 else 0.0
        highest = max(1.0, float(values.max()))
        shown = left.imshow(
            values[:, chosen].T, aspect="auto", cmap="RdBu_r" if lowest < 0 else "viridis", vmin=lowest, vmax=highest
        )
        figure.colorbar(shown, ax=left, pad=0.01, fraction=0.05, ticks=[lowest, highest], format="%.2g")
        left.set_ylabel(name if len(name) < 24 else name[:21] + "…", fontsize="small")
        left.set_yticks([])
        last = row == len(gates) - 1
        crowded = len(words) > 12
        named = range(0, len(words), max(1, math.ceil(0.2 * len(words) / WIDEST)))
        left.set_xticks(named, [words[place] if last else "" for place in named])
        left.tick_params(axis="x", labelrotation=60 if crowded else 0)
        right.hist(values.ravel(), bins=20, range=(lowest, highest), color="0.5")
        right.set_yticks([])
        right.set_xlabel("value, how often" if last else "", fontsize="small")
        right.set_title(f"{100 * saturation[name]:.0f} % saturated", fontsize="small")
    return figure
