"""The training loop: any model, any task, never losing work."""

from __future__ import annotations

import csv
import io
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn
from torch.optim import Optimizer

from timeloom.core import ModelError, RunError, UsageError
from timeloom.core.files import make_folder, write_whole
from timeloom.train.checkpoint import SEAL, Progress, load_checkpoint, save_checkpoint
from timeloom.train.interrupt import Interrupted, StopRequest
from timeloom.train.optimizer import learning_rate, make_optimizer
from timeloom.train.options import TrainingOptions
from timeloom.train.watch import Watch

LAST, LOG = "last.ckpt", "log.csv"
FEW = 200  # updates


class Problem(ABC):
    """What a task tells `fit` about its training."""

    selected_by: str  # the score of `validate` that picks the best epoch
    lower_is_better: bool = False

    @abstractmethod
    def plan(self, epoch: int) -> Sequence[Sequence[int]]:
        """The batches of an epoch as indices of examples: a pure function, as many batches in every epoch."""

    @abstractmethod
    def batch(self, indices: Sequence[int]) -> Any:
        """The examples as the model's `loss` takes them."""

    @abstractmethod
    def validate(self, model: Any) -> dict[str, float]:
        """Scores on held-out data; the model is in evaluation mode."""

    def stepped(self, batch: Any) -> None:  # noqa: B027
        """The optimizer has stepped on the batch, which may by now hold what the next one goes on from."""

    def carried(self) -> dict[str, Tensor]:
        """What one step of the training leaves to the next beside weights, for the checkpoint."""
        return {}

    def carry_on(self, tensors: Mapping[str, Tensor]) -> None:  # noqa: B027
        """Take back what `carried` gave."""


class Onlooker(Protocol):
    """Who looks at the steps of a training; `timeloom.layers.Doctor` for one."""

    def before(self) -> None:
        """A step begins."""
        ...

    def after(self, norm: float) -> list[str]:
        """Its gradients are there, `norm` the length of them all before clipping. Gives what is worth a line."""
        ...


def fit(
    model: nn.Module,
    problem: Problem,
    options: TrainingOptions,
    folder: str | Path,
    *,
    run: str = "",
    resume: bool = False,
    watch: Watch | None = None,
    onlooker: Onlooker | None = None,
) -> Progress:
    """Train `model`, which has `loss(batch)` → mean loss in nats (a scalar), and leave its best weights in it.

    `folder` gets `last.ckpt` (all that `resume` needs), `log.csv` and TensorBoard's events. Killed at any moment and
    resumed, the run ends in the same bytes as one that was never stopped, on the same machine with the same number of
    threads. `run` names what is being trained on what; a checkpoint of another run is refused.

    Raises RunError where the loss, its gradient or the weights are not finite or a file cannot be written, ModelError
    for a checkpoint that is damaged or another run's, and Interrupted after Ctrl-C or SIGTERM, once the checkpoint is
    safe.
    """
    return Fit(model, problem, options, Path(folder), run, watch or Watch(), onlooker).train(resume)


class Fit:
    """One run of `fit`: its moving parts and the steps that move them."""

    def __init__(
        self,
        model: nn.Module,
        problem: Problem,
        options: TrainingOptions,
        folder: Path,
        run: str,
        watch: Watch,
        onlooker: Onlooker | None = None,
    ):
        self.problem, self.options, self.folder, self.run, self.watch = problem, options, folder, run, watch
        self.onlooker = onlooker
        try:
            self.fabric = Fabric(accelerator=options.accelerator, devices=1, precision=options.precision)
        except (ValueError, RuntimeError) as error:
            raise UsageError(
                f"cannot compute on accelerator {options.accelerator} in {options.precision}: {error}"
            ) from error
        self.plain_model = model
        wrapped, optimizer = self.fabric.setup(model, make_optimizer(model.parameters(), options))
        wrapped.mark_forward_method("loss")
        self.model: Any = wrapped
        self.optimizer: Optimizer = optimizer
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        updates = len(problem.plan(0))
        self.epochs = options.passes(updates)
        self.total_steps = self.epochs * updates

    def train(self, resume: bool) -> Progress:
        make_folder(self.folder)
        if resume and (self.folder / LAST).exists():
            self.restore()
        if not self.is_over():
            with StopRequest() as stop, self.watch:
                self.watch.begin(self.total_steps, self.progress.steps)
                if self.total_steps < FEW:
                    self.watch.note(
                        f"{self.total_steps} updates in all, where a net seldom learns in fewer than {FEW}; more "
                        "epochs or a smaller batch_size give more"
                    )
                self.train_epochs(stop)
        elif resume:
            self.watch.note("the run had already ended; its best weights are taken")
        self.plain_model.load_state_dict(self.best)
        self.plain_model.eval()
        return self.progress

    def restore(self) -> None:
        path = self.folder / LAST
        self.progress, saved = load_checkpoint(path)
        if saved["run"] != self.run:
            raise ModelError(f"{path} is a checkpoint of another run; start anew with --overwrite")
        done, per_epoch = self.progress, len(self.problem.plan(0))
        if done.step > per_epoch or done.steps != done.epoch * per_epoch + done.step:
            raise SEAL.damaged(path, f"step {done.step} of epoch {done.epoch + 1} is not step {done.steps} of the run")
        try:
            if done.best_epoch >= 0:  # so that it is known now and not at the end that they fit
                self.plain_model.load_state_dict(saved["best"])
            self.plain_model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.problem.carry_on(saved["carried"])
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:  # of other names or shapes
            raise ModelError(
                f"{path} holds other weights than this model's: another version of Timeloom wrote it.\n"
                "  Go on with that version, or start anew with --overwrite."
            ) from error
        self.best = saved["best"]
        self.write_log()  # a kill may have come between the checkpoint and the log

    def write_log(self) -> None:
        if self.progress.history:
            write_whole(self.folder / LOG, as_csv(self.progress.history).encode())

    def check_weights(self) -> None:
        if not all(bool(weight.isfinite().all()) for weight in self.plain_model.parameters()):
            raise self.blown_up("weights became infinite or not a number")

    def save(self) -> None:
        self.check_weights()  # rather the checkpoint from before than one that nothing can come of
        # The best weights lie in the same file as the progress that speaks of them, so no kill can part the two.
        tensors = {"model": self.plain_model.state_dict(), "optimizer": self.optimizer.state_dict(), "best": self.best}
        save_checkpoint(
            self.folder / LAST, self.progress, {"run": self.run, "carried": self.problem.carried(), **tensors}
        )

    def is_over(self) -> bool:
        done, patience = self.progress, self.options.patience
        return done.epoch >= self.epochs or (0 < patience <= done.waiting and done.step == 0)

    def train_epochs(self, stop: StopRequest) -> None:
        # purge_step has TensorBoard forget what an earlier start logged after its last checkpoint.
        logger = TensorBoardLogger(self.folder, name="", version="tensorboard", purge_step=self.progress.steps)
        try:
            while not self.is_over():
                self.train_epoch(stop)
                self.end_epoch(logger)
                if stop.came:
                    raise Interrupted(f"after epoch {self.progress.epoch}; all of it is saved")
        finally:
            logger.finalize("")

    def train_epoch(self, stop: StopRequest) -> None:
        progress = self.progress
        started = saved = time.monotonic()
        before = progress.epoch_seconds
        self.model.train()
        for indices in self.problem.plan(progress.epoch)[progress.step :]:
            batch = self.fabric.to_device(self.problem.batch(indices))
            loss = self.train_step(batch)
            self.problem.stepped(batch)
            progress.step += 1
            progress.steps += 1
            progress.loss_sum += loss
            self.watch.stepped(progress.epoch, loss)
            now = time.monotonic()
            progress.epoch_seconds = before + now - started
            if stop.came:
                self.save()
                raise Interrupted(f"in epoch {progress.epoch + 1}, step {progress.step}; all of it is saved")
            if now - saved > self.options.checkpoint_seconds:
                self.save()
                saved = time.monotonic()

    def train_step(self, batch: Any) -> float:
        """One step of the optimizer. Gives the loss before it, in nats."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.progress.steps, self.total_steps, self.options)
        self.optimizer.zero_grad()
        if self.onlooker is not None:
            self.onlooker.before()
        with self.fabric.autocast():  # which Fabric enters by itself for `forward` only, unless it wraps the model
            loss = self.model.loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise self.blown_up(f"the loss became {value}")
        self.fabric.backward(loss)
        self.progress.clipped += self.clip()
        self.optimizer.step()
        return value

    def clip(self) -> bool:
        """Shorten the gradient as the options say; whether it was too long."""
        by_value, by_norm = self.options.clip_value, self.options.clip_norm
        clipped = False
        whole = None
        if self.onlooker is not None and by_value is not None:
            gradients = [p.grad for p in self.plain_model.parameters() if p.grad is not None]
            whole = float(torch.nn.utils.get_total_norm(gradients))
        if by_value is not None:
            gradients = [p.grad for p in self.plain_model.parameters() if p.grad is not None]
            clipped = any(bool((gradient.abs() > by_value).any()) for gradient in gradients)
            self.fabric.clip_gradients(self.model, self.optimizer, clip_val=by_value)
        norm = self.fabric.clip_gradients(
            self.model,
            self.optimizer,
            max_norm=math.inf if by_norm is None else by_norm,
            error_if_nonfinite=False,
        )
        assert isinstance(norm, Tensor)
        for text in [] if self.onlooker is None else self.onlooker.after(whole or float(norm)):
            self.watch.note(text)
        if not math.isfinite(float(norm)):
            raise self.blown_up(f"the gradient's norm became {float(norm)}")
        return clipped or (by_norm is not None and float(norm) > by_norm)

    def blown_up(self, what: str) -> RunError:
        progress, rate = self.progress, self.optimizer.param_groups[0]["lr"]
        return RunError(
            f"{what} in epoch {progress.epoch + 1}, step {progress.step + 1}, at the learning rate {rate:.3g}.\n"
            "  Start anew (--overwrite) with a smaller learning_rate or clip_norm, or look for numbers in the data "
            "that are not finite.\n"
            f"  What was saved before is kept in {self.folder}."
        )

    def end_epoch(self, logger: TensorBoardLogger) -> None:
        progress = self.progress
        self.check_weights()
        self.model.eval()
        started = time.monotonic()
        with torch.inference_mode():
            scores = self.problem.validate(self.plain_model)
        seconds = progress.epoch_seconds + time.monotonic() - started
        row = {
            "epoch": progress.epoch + 1,
            "loss": progress.loss_sum / max(1, progress.step),
            **scores,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "clipped_share": progress.clipped / max(1, progress.step),
            "seconds": seconds,
        }
        score = scores[self.problem.selected_by] * (-1 if self.problem.lower_is_better else 1)
        if math.isnan(score):
            self.watch.note(
                f"{self.problem.selected_by} is not a number in epoch {progress.epoch + 1}: any other is better"
            )
            score = -math.inf
        better = score > progress.best_score or progress.best_epoch < 0
        # Of equal scores the later has learned for longer. Patience still ends where nothing gets better.
        tied = score == progress.best_score
        best = better or tied or self.options.keep == "last"
        progress.waiting = 0 if better else progress.waiting + 1
        if best:
            progress.best_score, progress.best_epoch = score, progress.epoch
            self.best = {name: value.detach().clone() for name, value in self.plain_model.state_dict().items()}
        progress.history.append(row)
        progress.seconds += seconds
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.loss_sum, progress.clipped, progress.epoch_seconds = 0.0, 0, 0.0
        self.save()
        self.write_log()
        logger.log_metrics({name: value for name, value in row.items() if name != "epoch"}, step=progress.steps)
        self.watch.epoch_ended(row, tied or better)


def as_csv(rows: Sequence[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
