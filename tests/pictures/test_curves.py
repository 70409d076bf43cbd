from matplotlib.axes import Axes

from timeloom.pictures import training_curves

ROWS = [{"epoch": n + 1.0, "loss": 1 / (n + 1), "f1": 90.0 + n} for n in range(4)]


def lines(axes: Axes) -> dict[str, list[float]]:
    return {str(line.get_label()): [float(y) for y in line.get_ydata()] for line in axes.lines}  # type: ignore[union-attr]


def test_curves_show_the_rows_and_mark_the_best() -> None:
    left, right = training_curves(ROWS, ["f1"], best_epoch=3).axes
    assert lines(left)["training loss"] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert lines(right)["f1"] == [90, 91, 92, 93]
    assert "saved: epoch 3" in lines(right)
    assert left.get_xlabel() == "epoch"


def test_one_epoch_is_a_point() -> None:
    left, _ = training_curves(ROWS[:1], ["f1"]).axes
    assert left.lines[0].get_marker() == "o"


def test_the_share_of_clipped_steps_is_drawn_where_there_was_any() -> None:
    rows = [{**row, "clipped_share": 0.25} for row in ROWS]
    _, _, clipped = training_curves(rows, ["f1"]).axes
    assert [float(y) for y in clipped.lines[0].get_ydata()] == [0.25] * 4  # type: ignore[union-attr]
    assert len(training_curves([{**row, "clipped_share": 0.0} for row in ROWS], ["f1"]).axes) == 2
