"""The loss over a plane of weights, with the ways that gradient descent took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.axes3d import Axes3D

COLOURS = ("C3", "C2", "C1", "C4")


def error_surface(
    a: Sequence[float],
    b: Sequence[float],
    losses: np.ndarray,
    names: tuple[str, str],
    paths: Mapping[str, np.ndarray] | None = None,
    model: tuple[float, float] | None = None,
) -> Figure:
    """The surface from above the side on the left, as contours with the paths on the right.

    `losses` is (len(a), len(b)); paths are (N, 2) points (a, b) by their names. A path that leaves the picture ends in
    an arrow, which says how far away its next point is. `model` is where a cross is drawn.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    finite = losses[np.isfinite(losses)]
    top = float(finite.max()) if finite.size else 1.0
    shown = np.where(np.isfinite(losses), losses, top)
    across, along = np.meshgrid(b, a)
    left = figure.add_subplot(1, 2, 1, projection="3d")
    assert isinstance(left, Axes3D)
    left.plot_surface(across, along, shown, cmap="viridis", rcount=len(a), ccount=len(b), linewidth=0)
    longest = max(len(name) for name in names)
    small, smaller = min(10.0, 500 / longest), min(10.0, 300 / longest)  # a long name would leave the picture
    left.set_xlabel(names[1], fontsize=smaller)
    left.set_ylabel(names[0], fontsize=smaller)  # the height is the colour, which the bar on the right explains
    left.locator_params(nbins=5)
    left.view_init(elev=38, azim=-115)
    right = figure.add_subplot(1, 2, 2)
    drawn = right.contourf(b, a, shown, 30, cmap="viridis")
    figure.colorbar(drawn, ax=right, label="loss")
    for colour, (name, path) in zip(COLOURS, (paths or {}).items(), strict=False):
        inside = (path[:, 0] >= a[0]) & (path[:, 0] <= a[-1]) & (path[:, 1] >= b[0]) & (path[:, 1] <= b[-1])
        end = len(path) if inside.all() else int(inside.argmin())
        over = {"linewidth": 2.4, "markersize": 6} if end < len(path) else {"linewidth": 1.2, "markersize": 4}
        right.plot(path[:end, 1], path[:end, 0], ".-", color=colour, label=name, **over)
        if end:
            right.plot(path[0, 1], path[0, 0], "o", color="white", markeredgecolor="black", markersize=7)
        if 0 < end < len(path):
            here, there = path[end - 1], path[end]
            reach = np.hypot(*(there - here))
            if not np.isfinite(reach):
                continue
            toward = here + (there - here) * (0.25 * (a[-1] - a[0]) / reach)
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.2}
            right.annotate("", xy=(toward[1], toward[0]), xytext=(here[1], here[0]), arrowprops=arrow)
            box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
            right.annotate(
                f"step {end}: {reach:.3g} away",
                xy=(toward[1], toward[0]),
                xytext=(0, -6),
                textcoords="offset points",
                color=colour,
                ha="center",
                va="top",
                bbox=box,
            )
    if model is not None:
        right.plot(model[1], model[0], "x", color="white", markersize=9, markeredgewidth=2.5, label="the model")
    right.set_xlabel(names[1], fontsize=small)
    right.set_ylabel(names[0], fontsize=small)
    right.set(xlim=(b[0], b[-1]), ylim=(a[0], a[-1]))
    if paths:
        right.legend(loc="lower left", fontsize="small", facecolor="0.85")
    return figure
