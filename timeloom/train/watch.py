"""Who looks on while a model trains: nobody, or a person at a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from timeloom.core.plain import shown


class Watch:
    """Hears what happens in `fit`, and does nothing about it. The terminal's watch is a subclass."""

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        return None

    def begin(self, total_steps: int, done_steps: int) -> None:
        """The run starts, or goes on from `done_steps`."""

    def stepped(self, epoch: int, loss: float) -> None:
        """One optimizer step was done; `loss` in nats."""

    def epoch_ended(self, row: dict[str, float], best: bool) -> None:
        """`row` has what the log has of the epoch."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class NotesWatch(Watch):
    """Passes on what is worth a line, and nothing else."""

    def note(self, text: str) -> None:
        print(shown(f"note: {text}"), file=sys.stderr)


class ForgivingConsole(Console):
    """A console whose reader may leave (`| head`): the training goes on unseen."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class TerminalWatch(Watch):
    """A bar with the time left and a line for each epoch; where the output is no terminal, a line now and then in the
    place of the bar.

    Args:
        console: Where to write; None is standard error.
        line_seconds: How often a line is written where there is no bar.
    """

    def __init__(self, console: Console | None = None, line_seconds: float = 30.0):
        self.console = console or ForgivingConsole(stderr=True, soft_wrap=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=None)
        self._loss = float("nan")
        self._line_seconds, self._last_line = line_seconds, time.monotonic()
        self._total, self._done, self._done_here, self._began = 0, 0, 0, time.monotonic()

    def __enter__(self) -> TerminalWatch:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._progress.stop()

    def begin(self, total_steps: int, done_steps: int) -> None:
        self._progress.reset(self._task, total=total_steps, completed=done_steps)
        self._total, self._done, self._done_here = total_steps, done_steps, 0
        self._began = self._last_line = time.monotonic()

    def stepped(self, epoch: int, loss: float) -> None:
        # A running mean over about 20 steps: single batches jump too much to read.
        self._loss = loss if self._loss != self._loss else 0.95 * self._loss + 0.05 * loss
        self._progress.update(self._task, advance=1, description=f"epoch {epoch + 1}  loss {self._loss:.4f}")
        self._done, self._done_here = self._done + 1, self._done_here + 1
        now = time.monotonic()
        if not self.console.is_terminal and now - self._last_line >= self._line_seconds:
            self._last_line = now
            left = (now - self._began) / self._done_here * max(0, self._total - self._done)
            self.console.print(
                f"epoch {epoch + 1:3.0f}  loss {self._loss:.4f}  {100 * self._done / max(1, self._total):.0f} % done, "
                f"at most {in_words(left)} left"
            )

    def epoch_ended(self, row: dict[str, float], best: bool) -> None:
        shown = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        self._last_line = time.monotonic()
        self.console.print(f"epoch {row['epoch']:3.0f}  {shown}{'  ← best so far' if best else ''}")

    def note(self, text: str) -> None:
        self.console.print(shown(f"note: {text}"), markup=False)


def in_words(seconds: float) -> str:
    """A time, in seconds up to two minutes, in minutes up to two hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
