"""A sentence through a linear chain: what each word says by itself, and all the ways to tag the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

BEST, SHADE = "C3", "Blues"
WORTH_A_NUMBER = 0.05


def tag_lattice(
    words: Sequence[str],
    labels: Sequence[str],
    emissions: np.ndarray,
    marginals: np.ndarray,
    pair_marginals: np.ndarray,
    path: Sequence[int],
    most: int = 12,
) -> Figure:
    """Above, the score of every tag for every word; below, the lattice of tags with the best path.

    A node is as dark as its tag is likely, a line as the step from tag to tag is.

    Args:
        words: T words.
        labels: K tags.
        emissions: (T, K) scores, as the network gives them.
        marginals: (T, K) probability of each tag at each word.
        pair_marginals: (T - 1, K, K) probability of each step from tag to tag.
        path: The best path, T numbers of tags.
        most: Rows that are shown: those of the best path, then the likeliest, the unlikely ones up to six rows.
    """
    shown = rows_to_show(marginals, path, most)
    row_of = {k: row for row, k in enumerate(shown)}
    T = len(words)
    figure = Figure(figsize=(2.4 + 0.85 * max(T, 4), 1.8 + 0.6 * len(shown)), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.4))

    scores = emissions[:, shown].T  # (rows, T)
    reach = float(np.abs(scores[np.isfinite(scores)]).max(initial=1e-6))
    image = above.imshow(scores, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
    left_out = f"\n(the {len(shown)} likeliest of {len(labels)} tags)" if len(shown) < len(labels) else ""
    above.set_title(f"scores of each word by itself{left_out}", fontsize="medium")
    figure.colorbar(image, ax=above, fraction=0.03, pad=0.01)

    below.set_title(
        "all paths, with the tags' probabilities:\nthe darker the likelier; the best in red",
        fontsize="medium",
    )
    steps = pair_marginals[:, shown][:, :, shown] if T > 1 else np.zeros((0, len(shown), len(shown)))
    t, i, j = np.nonzero(steps > 0.002)
    lines = [((a, b), (a + 1, c)) for a, b, c in zip(t, i, j, strict=True)]
    chances = np.sqrt(steps[t, i, j])  # so that what is unlikely can still be seen
    colours = np.c_[np.tile((0.13, 0.38, 0.66), (len(lines), 1)), chances]
    below.add_collection(LineCollection(lines, colors=colours, linewidths=0.5 + 4 * chances, zorder=1))
    best = [row_of[k] for k in path]
    below.plot(range(T), best, color=BEST, linewidth=1.6, zorder=3)
    across, down = np.meshgrid(range(T), range(len(shown)))
    below.scatter(
        across,
        down,
        c=np.sqrt(marginals[:, shown].T),
        cmap=SHADE,
        vmin=0,
        vmax=1,
        s=190,
        edgecolors="0.75",
        linewidths=0.8,
        zorder=2,
    )
    below.scatter(range(T), best, s=190, facecolors="none", edgecolors=BEST, linewidths=1.8, zorder=4)
    others = [(position, row) for position, row in np.argwhere(marginals[:, shown] >= WORTH_A_NUMBER).tolist()]
    for position, row in dict.fromkeys([*enumerate(best), *others]):
        chance = float(marginals[position, shown[row]])
        text = below.annotate(f"{chance:.2f}", (position, row), (0, 10), textcoords="offset points", ha="center")
        text.set(fontsize="small", color=BEST if best[position] == row else "0.35", zorder=5)
        text.set_path_effects([withStroke(linewidth=3, foreground="white")])
    for axes in (above, below):
        axes.set_yticks(range(len(shown)), [labels[k] for k in shown])
        axes.set_xticks(range(T), words, rotation=0 if max(map(len, words)) < 9 else 20)
        axes.tick_params(length=0)
    above.tick_params(labelbottom=True)
    below.set(xlim=(-0.5, T - 0.5), ylim=(len(shown) - 0.4, -0.7))
    for edge in ("top", "right", "bottom", "left"):
        below.spines[edge].set_visible(False)
    return figure


def rows_to_show(marginals: np.ndarray, path: Sequence[int], most: int) -> list[int]:
    """The tags of the best path, then the likeliest others, in their order: to six rows any, then those above 0.1 %."""
    kept = list(dict.fromkeys(path))
    for k in np.argsort(-marginals.max(0), kind="stable").tolist():
        if k not in kept and len(kept) < (most if marginals[:, k].max() > 0.001 else min(most, 6)):
            kept.append(k)
    return sorted(kept)
