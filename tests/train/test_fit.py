"""The loop on a problem small enough to see through: fit y = Wx with noise in the training."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from timeloom.core import ModelError, RunError, UsageError
from timeloom.core.sealed import read_sealed, write_sealed
from timeloom.train import Interrupted, Problem, Progress, TrainingOptions, Watch, fit
from timeloom.train.checkpoint import SEAL, load_checkpoint
from timeloom.train.optimizer import learning_rate, make_optimizer
from timeloom.train.watch import NotesWatch

OPTIONS = TrainingOptions(epochs=3, batch_size=4, learning_rate=0.05, checkpoint_seconds=0.0)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3, 2)

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        return (self.map(nn.functional.dropout(x, 0.1, self.training)) - y).square().mean()


class LineProblem(Problem):
    selected_by = "score"

    def __init__(self, scores: Sequence[float] = ()):
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(20, 3, generator=generator)
        self.y = self.x @ torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        self.scores = list(scores)

    def plan(self, epoch: int) -> list[list[int]]:
        order = torch.randperm(20, generator=torch.Generator().manual_seed(epoch)).tolist()
        return [order[i : i + 4] for i in range(0, 20, 4)]

    def batch(self, indices: Sequence[int]) -> Any:
        return self.x[list(indices)], self.y[list(indices)]

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        assert isinstance(model, Line)
        return {"score": self.scores.pop(0) if self.scores else -float(model.loss((self.x, self.y)))}


class StopAt(Watch):
    """Ctrl-C, or a crash, after a given number of steps."""

    def __init__(self, step: int, how: str):
        self.left, self.how = step, how

    def stepped(self, epoch: int, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            if self.how == "crash":
                raise ZeroDivisionError
            os.kill(os.getpid(), signal.SIGINT)


def trained(folder: Path, options: TrainingOptions = OPTIONS, problem: LineProblem | None = None, **more: Any):
    torch.manual_seed(options.seed)
    model = Line()
    progress = fit(model, problem or LineProblem(), options, folder, **more)
    return model, progress


def weights(model: nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in model.state_dict().values())


def test_mixed_precision_is_that_of_the_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fabric enters autocast by itself for `forward`; what is trained is `loss`."""
    seen = set()
    plain = Line.loss
    monkeypatch.setattr(Line, "loss", lambda line, batch: seen.add(line.map(batch[0]).dtype) or plain(line, batch))
    for precision, wanted in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        seen.clear()
        options = replace(OPTIONS, epochs=1, precision=precision)
        trained(tmp_path / precision, options, LineProblem([1.0]))
        assert seen == {wanted}


def test_it_learns_and_keeps_books(tmp_path: Path) -> None:
    model, progress = trained(tmp_path, replace(OPTIONS, epochs=40))
    assert progress.history[0]["loss"] > 20 * progress.history[-1]["loss"]
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in progress.history]
    assert [int(row["epoch"]) for row in rows] == list(range(1, 41))
    assert list((tmp_path / "tensorboard").glob("events*"))
    assert not model.training


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    one, two, other = (
        weights(trained(tmp_path / name, replace(OPTIONS, seed=seed))[0])
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == two
    assert one != other


@pytest.mark.parametrize("how", ["interrupt", "crash"])
@pytest.mark.parametrize("step", [1, 4, 5, 6, 14])
def test_resumed_is_the_same_as_unbroken(tmp_path: Path, step: int, how: str) -> None:
    unbroken = weights(trained(tmp_path / "whole")[0])
    with pytest.raises(Interrupted if how == "interrupt" else ZeroDivisionError):
        trained(tmp_path / "broken", watch=StopAt(step, how))
    torch.manual_seed(99)  # a new process would start elsewhere
    resumed, progress = trained(tmp_path / "broken", resume=True)
    assert weights(resumed) == unbroken
    assert (progress.epoch, progress.steps) == (3, 15)


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = weights(trained(tmp_path)[0])
    stamp = (tmp_path / "last.ckpt").stat().st_mtime_ns
    assert weights(trained(tmp_path, resume=True)[0]) == first
    assert (tmp_path / "last.ckpt").stat().st_mtime_ns == stamp


def test_best_epoch_is_the_one_given_back(tmp_path: Path) -> None:
    model, progress = trained(tmp_path / "a", problem=LineProblem([1.0, 3.0, 2.0]))
    assert (progress.best_epoch, progress.best_score) == (1, 3.0)
    constant = replace(OPTIONS, schedule="constant")
    two_epochs, _ = trained(tmp_path / "b", replace(constant, epochs=2))
    three_epochs, _ = trained(tmp_path / "c", constant, LineProblem([1.0, 3.0, 2.0]))
    assert weights(three_epochs) == weights(two_epochs)
    assert weights(model) != weights(two_epochs)  # the linear schedule of a longer run takes other steps


def test_of_equal_scores_the_later_epoch_is_given_back(tmp_path: Path) -> None:
    model, progress = trained(tmp_path / "a", problem=LineProblem([1.0, 3.0, 3.0]))
    last, _ = trained(tmp_path / "b", problem=LineProblem([1.0, 2.0, 3.0]))
    assert (progress.best_epoch, progress.best_score) == (2, 3.0)
    assert weights(model) == weights(last)


def test_a_score_that_is_no_number_is_worse_than_any_and_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, progress = trained(tmp_path, problem=LineProblem([math.nan, -5.0, math.nan]), watch=NotesWatch())
    assert (progress.best_epoch, progress.best_score) == (1, -5.0)
    said = capsys.readouterr().err
    assert "score is not a number in epoch 1" in said
    assert "score is not a number in epoch 3" in said


def test_few_updates_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(tmp_path / "a", watch=NotesWatch())
    assert "15 updates in all, where a net seldom learns in fewer than 200" in capsys.readouterr().err
    trained(tmp_path / "b", replace(OPTIONS, epochs=40), watch=NotesWatch())
    assert "updates in all" not in capsys.readouterr().err


def test_the_last_epoch_is_given_back_where_that_is_asked_for(tmp_path: Path) -> None:
    model, progress = trained(tmp_path / "a", replace(OPTIONS, keep="last"), LineProblem([5.0, 1.0, 2.0]))
    other, _ = trained(tmp_path / "b", OPTIONS, LineProblem([1.0, 2.0, 5.0]))
    assert progress.best_epoch == 2
    assert weights(model) == weights(other)


def test_patience(tmp_path: Path) -> None:
    options = replace(OPTIONS, epochs=9, patience=2)
    _, progress = trained(tmp_path / "a", options, LineProblem([1.0, 2.0, 1.5, 1.9, 9.0]))
    assert (progress.epoch, progress.best_epoch) == (4, 1)
    _, progress = trained(tmp_path / "a", options, resume=True)
    assert progress.epoch == 4
    # An epoch that only reaches the best score is kept, and waited for no longer.
    _, progress = trained(tmp_path / "b", options, LineProblem([1.0, 2.0, 1.5, 2.0, 9.0]))
    assert (progress.epoch, progress.best_epoch) == (4, 3)


def test_clipping_is_done_and_counted(tmp_path: Path) -> None:
    sgd = replace(OPTIONS, epochs=1, optimizer="sgd", schedule="constant", learning_rate=1.0)
    for name, options in {
        "norm": replace(sgd, clip_norm=1e-3),
        "value": replace(sgd, clip_value=1e-3, clip_norm=None),
    }.items():
        torch.manual_seed(1)
        before = Line().map.weight.detach().clone()
        model, progress = trained(tmp_path / name, options)
        moved = (model.map.weight - before).abs().max()
        assert 0 < moved <= 5 * 1e-3 + 1e-6
        assert progress.history[0]["clipped_share"] == 1.0
    _, progress = trained(tmp_path / "off", replace(sgd, clip_norm=None, learning_rate=1e-3))
    assert progress.history[0]["clipped_share"] == 0.0


def test_a_loss_that_is_not_finite_is_told_and_loses_nothing(tmp_path: Path) -> None:
    problem = LineProblem()
    trained(tmp_path, problem=problem, options=replace(OPTIONS, epochs=1))
    kept = (tmp_path / "last.ckpt").read_bytes()
    problem.y[3, 0] = float("nan")
    with pytest.raises(RunError, match=r"(?s)the loss became nan in epoch 2, step \d.*learning_rate.*is kept in"):
        trained(tmp_path, problem=problem, options=replace(OPTIONS, checkpoint_seconds=99), resume=True)
    assert (tmp_path / "last.ckpt").read_bytes() == kept


def content_of(path: Path) -> dict[str, Any]:
    return torch.load(io.BytesIO(read_sealed(path, SEAL)), weights_only=True)


def reseal(path: Path, content: object) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_sealed(path, buffer.getbuffer(), SEAL)


def test_any_flipped_bit_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    path = tmp_path / "last.ckpt"
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    places = [*range(head * 8), *random.Random(1).sample(range(head * 8, len(whole) * 8), 200)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"last.ckpt is not a checkpoint.*or it is damaged.*\n.*--overwrite"):
            load_checkpoint(path)
    path.write_bytes(whole)
    trained(tmp_path, resume=True)


WRONG_PARTS: list[tuple[str, Any]] = [
    ("progress", None),
    ("progress", {}),
    ("progress.epoch", -1),
    ("progress.epoch", 2.0),
    ("progress.step", 4),
    ("progress.step", "4"),
    ("progress.steps", 14),
    ("progress.best_epoch", 7),
    ("progress.history", []),
    ("progress.history", [1, 2, 3]),
    ("progress.unknown", 1),
    ("rng", [1, 2]),
    ("rng", torch.zeros(3, dtype=torch.uint8)),
    ("run", None),
    ("model", None),
    ("model", {}),
    ("model", {"map.weight": 3, "map.bias": None}),
    ("optimizer", {}),
    ("optimizer", {"state": 1, "param_groups": 2}),
    ("optimizer", {"state": {}, "param_groups": [{}]}),
    ("best", {}),
    ("best", {"map.weight": torch.zeros(1), "map.bias": torch.zeros(1)}),
    ("carried", {"x": 1}),
]


@pytest.mark.parametrize(("part", "value"), WRONG_PARTS)
def test_a_checkpoint_of_another_form_is_refused(tmp_path: Path, part: str, value: Any) -> None:
    """Its checksum is right: it was written so, by whatever."""
    trained(tmp_path)
    path = tmp_path / "last.ckpt"
    content = content_of(path)
    name, _, inner = part.partition(".")
    if inner:
        content[name][inner] = value
    else:
        content[name] = value
    reseal(path, content)
    with pytest.raises(ModelError, match=r"last.ckpt .*(\n.*)*--overwrite"):
        trained(tmp_path, resume=True)
    del content[name]
    reseal(path, content)
    with pytest.raises(ModelError, match=f"its {name} is not there"):
        trained(tmp_path, resume=True)


def test_a_checkpoint_of_the_version_before_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 3}, tmp_path / "last.ckpt")
    with pytest.raises(ModelError, match="it does not begin with a checksum"):
        trained(tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    path = tmp_path / "last.ckpt"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"last.ckpt is not a checkpoint of Timeloom, or it is damaged"):
        trained(tmp_path, resume=True)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "trapped"),))

    reseal(tmp_path / "last.ckpt", {"format": 1, "progress": Trap()})
    with pytest.raises(ModelError, match="damaged"):
        trained(tmp_path, resume=True)
    assert not (tmp_path / "trapped").exists()


def test_a_checkpoint_holds_all_the_progress(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="in epoch 2, step 2; all of it is saved"):
        trained(tmp_path, watch=StopAt(7, "interrupt"))
    saved = content_of(tmp_path / "last.ckpt")
    progress = Progress(**saved["progress"])
    assert (progress.epoch, progress.step, progress.steps, len(progress.history)) == (1, 2, 7, 1)
    assert json.dumps(saved["progress"])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_optimizers_by_name(name: Any) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = make_optimizer([weight], replace(OPTIONS, optimizer=name, momentum=0.5))
    weight.sum().backward()
    optimizer.step()
    assert type(optimizer).__name__.lower() == name
    assert bool((weight < 1).all())


def test_schedules() -> None:
    def rates(**options: Any) -> list[float]:
        return [round(learning_rate(s, 10, replace(OPTIONS, learning_rate=1.0, **options)), 3) for s in (0, 5, 9)]

    assert rates(schedule="constant") == [1, 1, 1]
    assert rates(schedule="linear") == [1, 0.5, 0.1]
    assert rates(schedule="cosine") == [1, 0.5, 0.024]
    assert rates(schedule="constant", warmup=0.5) == [round(1 / 6, 3), 1, 1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": 0}, "epochs is 0, wanted 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, wanted more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"clip_norm": -1.0}, "clip_norm is -1.0"),
        ({"warmup": 1.0}, "warmup is 1.0, wanted 0 ≤ warmup < 1"),
        ({"keep": "last", "patience": 3}, "give one of them"),
    ],
)
def test_options_that_make_no_sense(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(OPTIONS, **wrong)


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    """A last step may ruin the weights with no loss after it to tell."""
    options = replace(OPTIONS, epochs=1, batch_size=20, optimizer="sgd", learning_rate=1e37, clip_norm=None)
    problem = LineProblem()
    problem.plan = lambda epoch: [list(range(20))]  # type: ignore[method-assign]
    problem.y = problem.y * 1e3
    with pytest.raises(RunError, match="weights became infinite or not a number"):
        trained(tmp_path, options, problem)
    assert not (tmp_path / "last.ckpt").exists()


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, run="one")
    with pytest.raises(ModelError, match="checkpoint of another run"):
        trained(tmp_path, run="other", resume=True)


def test_a_checkpoint_of_other_weights_is_refused(tmp_path: Path) -> None:
    class Renamed(Line):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = self.map

    trained(tmp_path)
    kept = (tmp_path / "last.ckpt").read_bytes()
    with pytest.raises(ModelError, match=r"last.ckpt holds other weights than this model's.*\n.*--overwrite"):
        fit(Renamed(), LineProblem(), OPTIONS, tmp_path, resume=True)
    assert (tmp_path / "last.ckpt").read_bytes() == kept


def test_sigterm_saves_too(tmp_path: Path) -> None:
    class Terminated(Watch):
        def stepped(self, epoch: int, loss: float) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="in epoch 1, step 1"):
        trained(tmp_path, watch=Terminated())
    assert (tmp_path / "last.ckpt").exists()


def test_an_accelerator_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot compute on accelerator mps"):
        trained(tmp_path, replace(OPTIONS, accelerator="mps"))
