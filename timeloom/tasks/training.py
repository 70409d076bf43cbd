"""What every task does around its own data and model: folders, seed, doctor, scores, curves, the model's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from timeloom.layers import Doctor, Recurrent
from timeloom.pictures import as_png, training_curves
from timeloom.scan import build_ahead
from timeloom.structured import CRF
from timeloom.tasks.folder import training_folder, write_model
from timeloom.tasks.runs import check_folders, opened_run
from timeloom.train import Problem, Progress, TrainingOptions, Watch, fit


class Scores(Protocol):
    """What a task measures."""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        ...


ModelT = TypeVar("ModelT", bound=nn.Module)
ScoresT = TypeVar("ScoresT", bound=Scores)


@dataclass(frozen=True)
class Trained(Generic[ModelT, ScoresT]):
    """What a training gave: the model with its best weights, how it went, its scores, and its folder."""

    model: ModelT
    progress: Progress
    valid: ScoresT
    test: ScoresT | None
    folder: Path


class TrainingRun:
    """One training of a task, from its options to the folder of the model; checkpoints and logs lie beside that.

    Args:
        task: Its name in `config.json`.
        out: The model's folder.
        sections: The options by section, dataclasses all; `training` is one of them.
        resume, overwrite: Go on with a run that was stopped, or start anew over what is there.

    Raises UsageError where the folders hold what nobody said may be replaced.
    """

    def __init__(
        self, task: str, out: str | Path, sections: Mapping[str, Any], *, resume: bool, overwrite: bool, watch: Watch
    ):
        self.task, self.out, self.resume, self.watch = task, Path(out), resume, watch
        self.workshop = training_folder(self.out)
        check_folders(self.out, self.workshop, resume, overwrite)
        self.options = {name: asdict(section) for name, section in sections.items()}
        self.training: TrainingOptions = sections["training"]
        self.name = ""

    @contextmanager
    def opened(self, fingerprint: str) -> Iterator[None]:
        """The folder of the training is ours, and torch's generator seeded. `fingerprint` is the data's."""
        known = {"fingerprint": fingerprint, "threads": torch.get_num_threads()}
        run = {"task": self.task, **self.options, **known}
        with opened_run(self.workshop, run, self.resume, self.watch.note) as self.name:
            torch.manual_seed(self.training.seed)
            yield

    def learn(self, model: nn.Module, problem: Problem) -> Progress:
        """Train the model, with the doctor looking on; its best weights are in it then."""
        if self.training.accelerator == "cpu" and self.training.precision == "32-true":
            layers = [part for part in model.train().modules() if isinstance(part, Recurrent | CRF)]
            build_ahead(cell for layer in layers for cell in layer.cells_run())
        doctor = Doctor(model) if self.training.doctor else None
        return fit(
            model,
            problem,
            self.training,
            self.workshop,
            run=self.name,
            resume=self.resume,
            watch=self.watch,
            onlooker=doctor,
        )

    def deliver(
        self,
        model: ModelT,
        config: Mapping[str, Any],
        progress: Progress,
        valid: ScoresT,
        test: ScoresT | None,
        curves: Sequence[str],
        **axes: str,
    ) -> Trained[ModelT, ScoresT]:
        """Write the model's folder.

        Args:
            config: The arguments of the model's constructor.
            curves: The scores of the validation that are drawn over the epochs, those that there are.
            axes: `loss_in` and `scores_in` of `timeloom.pictures.training_curves`.
        """
        scores = {"valid": valid.as_dict(), **({} if test is None else {"test": test.as_dict()})}
        best = progress.best_epoch + 1
        shown = [name for name in curves if name in progress.history[0]]
        picture = as_png(training_curves(progress.history, shown, best, **axes))
        whole = {"task": self.task, **self.options, "scores": scores, "epoch": best, **config}
        write_model(self.out, whole, model.state_dict(), {"curves.png": picture})
        return Trained(model, progress, valid, test, self.out)
