from typing import cast

import numpy as np
import pytest
from matplotlib.figure import Figure

from timeloom.pictures import as_png, tag_lattice, transition_matrix

LABELS = ["B-to", "I-to", "O", "B-never"]
EMISSIONS = np.array([[-1.0, -2.0, 3.0, -9.0], [2.0, 1.0, -1.0, -9.0]])
MARGINALS = np.array([[0.1, 0.0, 0.9, 0.0], [0.8, 0.15, 0.05, 0.0]])
PAIRS = np.zeros((1, 4, 4))
PAIRS[0, 2, 0], PAIRS[0, 0, 1] = 0.8, 0.1


def test_the_lattice_shows_scores_steps_and_the_best_path() -> None:
    above, below, *_ = tag_lattice(["to", "Rome"], LABELS, EMISSIONS, MARGINALS, PAIRS, [2, 0], most=3).axes
    assert [label.get_text() for label in below.get_yticklabels()] == ["B-to", "I-to", "O"]
    assert [label.get_text() for label in below.get_xticklabels()] == ["to", "Rome"]
    assert above.get_title() == "scores of each word by itself\n(the 3 likeliest of 4 tags)"
    shown = above.images[0].get_array()
    assert shown is not None
    assert shown.tolist() == EMISSIONS[:, :3].T.tolist()
    assert list(below.lines[0].get_ydata()) == [2, 0]  # type: ignore[arg-type]
    steps = {tuple(map(tuple, path.vertices.tolist())) for path in below.collections[0].get_paths()}  # type: ignore[union-attr]
    assert steps == {((0, 2), (1, 0)), ((0, 0), (1, 1))}
    assert [text.get_text() for text in below.texts] == ["0.90", "0.80", "0.10", "0.15", "0.05"]
    nodes = below.collections[1]
    shades = np.asarray(nodes.get_array()).reshape(3, 2)
    np.testing.assert_allclose(shades**2, MARGINALS[:, :3].T)
    assert (nodes.norm.vmin, nodes.norm.vmax) == (0, 1)  # so that a shade means the same in every picture


@pytest.mark.parametrize("words", [["Rome"], ["to", "Rome"]])
def test_short_sentences_and_few_rows(words: list[str]) -> None:
    n = len(words)
    figure = tag_lattice(words, LABELS, EMISSIONS[:n], MARGINALS[:n], PAIRS[: n - 1], [2, 0][:n], most=1)
    rows = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert rows == (["O"] if n == 1 else ["B-to", "O"])  # the best path is never left out
    assert as_png(figure).startswith(b"\x89PNG")


def test_the_matrix_has_start_end_and_holes_for_what_is_forbidden() -> None:
    transitions = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, -np.inf, 9.0]])
    axes = transition_matrix(LABELS[:3], transitions, np.array([0.1, -np.inf, 0.3]), np.array([0.4, 0.5, 0.6])).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["(start)", *LABELS[:3]]
    assert [label.get_text() for label in axes.get_xticklabels()] == [*LABELS[:3], "(end)"]
    table = axes.images[0].get_array()
    assert table is not None
    shown = np.ma.filled(np.ma.asarray(table), np.nan)
    wanted = [[0.1, np.nan, 0.3, np.nan], [1, 2, 3, 0.4], [4, 5, 6, 0.5], [7, np.nan, 9, 0.6]]
    np.testing.assert_array_equal(shown, wanted)
    assert len(axes.texts) == 13


def test_a_large_matrix_keeps_its_strongest_tags() -> None:
    transitions = np.zeros((4, 4))
    transitions[3, 1] = 5.0
    axes = transition_matrix(LABELS, transitions, np.zeros(4), np.zeros(4), most=2).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["(start)", "I-to", "B-never"]
    title = cast(Figure, axes.figure).get_suptitle()
    assert "2 tags with the largest scores of 4" in title
    assert "forbidden" not in title
    transitions[2, 1] = -np.inf
    axes = transition_matrix(LABELS, transitions, np.zeros(4), np.zeros(4), most=3).axes[0]
    # B-to has no score of note, and comes with I-to: what is strong in a type is shown with what it begins with.
    assert [label.get_text() for label in axes.get_yticklabels()] == ["(start)", "B-to", "I-to", "B-never"]
