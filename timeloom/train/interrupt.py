"""Ctrl-C, SIGTERM and SIGHUP as a request that the loop can hear between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

from timeloom.core import TimeloomError


class Interrupted(TimeloomError):
    """The run was asked to stop and has saved where it stands. 130 is what shells expect after Ctrl-C."""

    exit_code = 130


class StopRequest:
    """While entered, the first SIGINT, SIGTERM or SIGHUP sets `came`; a second SIGINT raises KeyboardInterrupt at once.

    Signals can only be heard in a process's main thread; elsewhere nothing is changed.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            hang_up = getattr(signal, "SIGHUP", signal.SIGTERM)  # a closed terminal, where there is that signal
            for number in {signal.SIGINT, signal.SIGTERM, hang_up}:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.came and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.came = True
