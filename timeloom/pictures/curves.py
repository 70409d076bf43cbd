"""How a training run went: its loss and its scores over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def training_curves(
    rows: Sequence[Mapping[str, float]],
    scores: Sequence[str],
    best_epoch: int | None = None,
    *,
    loss_in: str = "nats per token",
    scores_in: str = "percent",
) -> Figure:
    """Loss on the left, scores on the right.

    `rows` have `epoch` (from 1), `loss` and the named scores, one row an epoch, as in `log.csv`; `loss_in` and
    `scores_in` are their units.
    `best_epoch` (from 1) is marked where it is given.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) < 3 else ""
    left.plot(epochs, [row["loss"] for row in rows], color="C3", marker=marker, label="training loss")
    left.set(xlabel="epoch", ylabel=loss_in)
    if all(row["loss"] > 0 for row in rows) and max(r["loss"] for r in rows) > 10 * min(r["loss"] for r in rows):
        left.set_yscale("log")
    if any(row.get("clipped_share", 0) > 0 for row in rows):
        clipped = left.twinx()
        clipped.plot(epochs, [row["clipped_share"] for row in rows], ":", color="0.4", marker=marker)
        clipped.set(ylabel="share of steps that were clipped (dotted)", ylim=(0, 1))
    for number, name in enumerate(scores):
        right.plot(epochs, [row[name] for row in rows], color=f"C{number}", marker=marker, label=name)
    right.set(xlabel="epoch", ylabel=f"{scores_in}, validation data")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.grid(alpha=0.3)
        if best_epoch is not None:
            axes.axvline(best_epoch, color="0.5", linestyle="--", linewidth=1, label=f"saved: epoch {best_epoch}")
        axes.legend()
    return figure
