"""Curves of losses, weights of words and the others hold what they were given."""

from __future__ import annotations

import numpy as np

from timeloom.pictures import error_surface, gates_figure, gradient_flow_figure, learning_curves, word_weights


def test_losses_are_means_over_windows_of_each_seed() -> None:
    losses = [[4.0, 2.0] * 60, [1.0] * 120]
    (axes,) = learning_curves({"T = 5": {"lstm": losses}}, "squared error").axes
    first, second = axes.lines
    assert set(np.asarray(first.get_ydata())) == {3.0}
    assert set(np.asarray(second.get_ydata())) == {1.0}
    assert first.get_label() == "lstm"


def test_words_that_matter_most_are_shown_in_their_order() -> None:
    words, influence = [str(n) for n in range(50)], [0.01] * 50
    influence[7], influence[31] = 2.0, -3.0
    bars, attention = word_weights(words, influence, [0.02] * 50, "t", most=2).axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["7", "31"]
    assert len(attention.patches) == 2
    assert len(word_weights(words, influence, None, "t").axes) == 1


def test_a_path_that_leaves_the_picture_says_how_far() -> None:
    a = [0.0, 1.0, 2.0]
    paths = {"wild": np.array([[1.0, 1.0], [1.0, 31.0]]), "tame": np.array([[1.0, 1.0], [0.5, 0.5]])}
    figure = error_surface(a, a, np.ones((3, 3)) * [[1.0, 2.0, np.inf]], ("w", "b"), paths)
    contour = figure.axes[1]
    assert any("step 1: 30 away" in text.get_text() for text in contour.texts)
    legend = contour.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["wild", "tame"]


def test_gradients_and_eigenvalues_in_the_colour_of_their_cell() -> None:
    flows = {"elman": (np.array([1e-9, 1.0]), np.array([1e-3, 1.0])), "lstm": (np.ones(2), None)}
    left, right = gradient_flow_figure(flows, {"elman": np.array([0.5 + 0.5j])}, "t").axes
    assert [float(y) for y in np.asarray(left.lines[1].get_ydata())] == [1e-3, 1.0]
    assert right.lines[1].get_color() == left.lines[1].get_color()


def test_names_of_eigenvalues_stay_in_the_picture() -> None:
    names = [f"a-model-of-a-long-name-{number}, first member, forwards" for number in range(3)]
    flows = {name: (np.ones(2), None) for name in names}
    figure = gradient_flow_figure(flows, dict.fromkeys(names, np.array([0.5 + 0.5j])), "t")
    figure.draw_without_rendering()
    extent = figure.axes[1].title.get_window_extent()
    assert figure.bbox.contains(*extent.min)
    assert figure.bbox.contains(*extent.max)


def test_a_row_for_each_gate_with_its_share() -> None:
    gates = {"sigmoid(f)": np.random.default_rng(0).random((4, 30)), "tanh(g)": -np.ones((4, 30))}
    figure = gates_figure(["a", "b", "c", "d"], gates, {"sigmoid(f)": 0.25, "tanh(g)": 1.0}, "LSTM", most=10)
    assert len(figure.axes) == 6  # with a scale of colours for each
    assert figure.axes[0].images[0].get_array().shape == (10, 4)  # type: ignore[union-attr]
    assert figure.axes[3].get_title() == "100 % saturated"
