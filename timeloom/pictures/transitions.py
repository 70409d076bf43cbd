"""Which tag follows which, as a model has learned it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def transition_matrix(
    labels: Sequence[str], transitions: np.ndarray, start: np.ndarray, end: np.ndarray, most: int = 40
) -> Figure:
    """The scores of going from the tag of a row to that of a column; the first row is the beginning of a sentence, the
    last column its end. What is forbidden is hatched grey.

    Args:
        labels: K tags.
        transitions: (K, K), -inf where forbidden.
        start: (K,)
        end: (K,)
        most: Tags that are shown: the types of chunks, with all their tags, whose scores differ most from 0.
    """
    shown = strongest_types(labels, transitions, most)
    names = [labels[k] for k in shown]
    table = np.full((len(shown) + 1, len(shown) + 1), np.nan)
    table[0, :-1], table[1:, :-1], table[1:, -1] = start[shown], transitions[np.ix_(shown, shown)], end[shown]
    table[~np.isfinite(table)] = np.nan
    written = len(table) <= 14  # there is room for the numbers
    beside = 1.0 + 0.08 * max(len(name) for name in [*names, "(start)"])  # the names, in inches
    side = beside + (0.42 if written else 0.27) * len(table)
    figure = Figure(figsize=(max(4.5, side + 0.5), side), layout="constrained")
    axes = figure.subplots()
    reach = float(np.nanmax(np.abs(table), initial=1e-6))
    axes.patch.set(facecolor="0.93", hatch="////", edgecolor="0.8")
    image = axes.imshow(table, cmap="RdBu_r", vmin=-reach, vmax=reach)
    axes.add_patch(Rectangle((len(shown) - 0.5, -0.5), 1, 1, color="white"))  # from (start) to (end) is no step
    axes.set_xticks(range(len(table)), [*names, "(end)"], rotation=90)
    axes.set_yticks(range(len(table)), ["(start)", *names])
    axes.set(xlabel="to", ylabel="from")
    axes.tick_params(length=0)
    hidden = len(labels) - len(shown)
    left_out = [f"the {len(shown)} tags with the largest scores of {len(labels)}"] if hidden else []
    forbidden = ["hatched: forbidden"] if np.isnan(table).sum() > 1 else []  # one is from (start) to (end)
    more = "; ".join(left_out + forbidden)
    figure.suptitle(f"score of each step from tag to tag\n{more}".strip(), fontsize="medium")
    if written:
        digits = 1 if reach >= 1 else 2
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 * reach else "black"
                axes.text(
                    column,
                    row,
                    f"{round(value, digits) + 0.0:.{digits}f}",  # + 0 has no minus before a zero
                    ha="center",
                    va="center",
                    fontsize="small",
                    color=colour,
                )
    figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    return figure


def strongest_types(labels: Sequence[str], transitions: np.ndarray, most: int) -> list[int]:
    """The numbers of `most` tags, in their order: type after type with B- and I-, those with the largest scores first;
    of a type for which there is no more room, the strongest tags."""
    finite = np.abs(np.where(np.isfinite(transitions), transitions, 0.0))
    strength = finite.max(0) + finite.max(1)
    of_type: dict[str, float] = {}
    for label, size in zip(labels, strength.tolist(), strict=True):
        kind = label.partition("-")[2]
        of_type[kind] = max(of_type.get(kind, 0.0), size)
    kinds = [label.partition("-")[2] for label in labels]
    order = sorted(range(len(labels)), key=lambda k: (-of_type[kinds[k]], kinds[k], -strength[k]))
    return sorted(order[:most])
