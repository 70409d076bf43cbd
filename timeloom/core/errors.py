"""What Timeloom raises when something outside it is wrong.

Each error carries the exit code that the command line ends with: 2 where the user's words or files are at fault,
1 where a run went wrong. Our own faults are plain Python exceptions.
"""

from __future__ import annotations

from pathlib import Path


class TimeloomError(Exception):
    """The root of all errors a user can cause or mend."""

    exit_code = 1


class UsageError(TimeloomError, ValueError):
    """An argument that makes no sense, alone or beside another."""

    exit_code = 2


class ShapeError(TimeloomError, ValueError):
    """A tensor that does not fit the module it was given to."""

    exit_code = 2


class DataError(TimeloomError, ValueError):
    """A file that cannot be read as what it should be. Names the file and, where there is one, the line."""

    exit_code = 2

    def __init__(self, message: str, path: str | Path | None = None, line: int | None = None):
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + message)
        self.path = None if path is None else Path(path)
        self.line = line


class ModelError(TimeloomError):
    """A model folder or a checkpoint that is damaged, foreign, or not there."""

    exit_code = 2


class RunError(TimeloomError):
    """A run that cannot go on: NaN in the loss, a full disk, a folder that cannot be written."""

    exit_code = 1
