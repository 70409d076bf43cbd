import numpy as np

from timeloom.pictures import as_png, tag_probabilities

LABELS = ["O", "B-to", "B-never"]
PROBABILITIES = np.array([[0.9, 0.1, 0.0], [0.2, 0.78, 0.02]])


def test_rows_are_likely_tags_and_columns_words() -> None:
    one, two = tag_probabilities([["to", "Rome"], ["so"]], LABELS, [PROBABILITIES, PROBABILITIES[:1]]).axes
    assert [label.get_text() for label in one.get_yticklabels()] == ["O", "B-to"]
    assert [label.get_text() for label in one.get_xticklabels()] == ["to", "Rome"]
    assert [label.get_text() for label in two.get_xticklabels()] == ["so"]
    shown = one.images[0].get_array()
    assert shown is not None
    assert shown.tolist() == [[0.9, 0.2], [0.1, 0.78]]
    assert [(text.get_text(), text.get_position()) for text in one.texts] == [("0.90", (0, 0)), ("0.78", (1, 1))]


def test_equal_figures_are_equal_files() -> None:
    files = [as_png(tag_probabilities([["to", "Rome"]], LABELS, [PROBABILITIES])) for _ in range(2)]
    assert files[0] == files[1]
    assert files[0].startswith(b"\x89PNG")
