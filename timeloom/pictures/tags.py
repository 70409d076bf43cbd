"""What a tagger thinks of each word of a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure


def tag_probabilities(
    sentences: Sequence[Sequence[str]], labels: Sequence[str], probabilities: Sequence[np.ndarray]
) -> Figure:
    """One panel a sentence, one column a word, one row a tag: the darker, the likelier.

    Each of `probabilities` is (T, K) for the T words of its sentence and the K `labels`. Rows in which no word of any
    sentence is likelier than 5 % are left out; the likeliest tag of each word has its probability written in.
    """
    likely = [k for k in range(len(labels)) if max(float(p[:, k].max(initial=0)) for p in probabilities) > 0.05]
    widths = [max(len(sentence), 2) for sentence in sentences]
    figure = Figure(figsize=(1.5 + 0.95 * sum(widths), 1.2 + 0.38 * len(likely)), layout="constrained")
    figure.suptitle("How likely each tag is for each word", fontsize="medium")
    panels = figure.subplots(1, len(sentences), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, words, p in zip(panels, sentences, probabilities, strict=True):
        shown = p[:, likely].T  # (rows, T)
        axes.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(words)), words)
        axes.set_yticks(range(len(likely)), [labels[k] for k in likely])
        axes.tick_params(length=0)
        for t, row in enumerate(shown.argmax(axis=0)):
            value = float(shown[row, t])
            axes.text(t, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
        axes.set_yticks([k - 0.5 for k in range(1, len(likely))], minor=True)
        axes.grid(which="minor", axis="y", color="0.9")
        axes.tick_params(which="minor", length=0)
    return figure
