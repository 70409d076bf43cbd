"""What each word of a text did for its label."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure


def word_weights(
    words: Sequence[str], influence: Sequence[float], attention: Sequence[float] | None, title: str, most: int = 40
) -> Figure:
    """A bar a word, from the first down: green to the right where it speaks for the label, red where against; and
    beside it, where there is attention, a grey bar for its share. Of a longer text the `most` words that matter most
    are shown, in their order."""
    shown = range(len(words))
    if len(words) > most:
        shown = sorted(sorted(shown, key=lambda place: -abs(influence[place]))[:most])
    panels = 1 if attention is None else 2
    figure = Figure(figsize=(3.2 + 2.2 * panels, 0.9 + 0.26 * len(shown)), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False, width_ratios=[2, 1][:panels])[0]
    places = range(len(shown))
    values = [influence[place] for place in shown]
    axes[0].barh(places, values, color=["C2" if value > 0 else "C3" for value in values])
    axes[0].axvline(0, color="0.3", linewidth=0.8)
    axes[0].set_xlabel("gradient · vector, for the label")
    axes[0].set_yticks(places, [words[place] for place in shown])
    axes[0].invert_yaxis()
    if attention is not None:
        axes[1].barh(places, [attention[place] for place in shown], color="0.6")
        axes[1].set_xlabel("attention")
    for each in axes:
        each.tick_params(axis="y", length=0)
        each.grid(axis="x", alpha=0.3)
        each.margins(y=0.01)
    return figure
