"""Standard input, output and errors as a command needs them, whatever state the shell left them in."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, NoReturn

from timeloom.core import UsageError
from timeloom.core.plain import shown


class Closed:
    """Standard input that was closed before the command began: said when it is read."""

    name = "<stdin>"

    @property
    def buffer(self) -> NoReturn:
        raise UsageError("standard input is closed, and there is nothing else to read; name a file")


def prepare_streams() -> None:
    """Have UTF-8 in all streams, as files have it, and none missing. Raises UsageError where output can go nowhere."""
    for number in range(3):  # a file that is opened next shall not be taken for one of them
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    streams: Any = sys
    if sys.stderr is None:
        streams.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdin is None:
        streams.stdin = Closed()
    if sys.stdout is None:
        streams.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise UsageError("standard output is closed; send it to a file, or to /dev/null")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of files may hold bytes that are no UTF-8.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def for_output(text: str) -> str:
    """What goes to standard output: for a person at a terminal nothing that the terminal would obey, else as it is."""
    return shown(text) if sys.stdout.isatty() else text
