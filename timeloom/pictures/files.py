"""Figures as files."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from timeloom.core import UsageError

# Without the date and the version, which would make equal pictures unequal files.
METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".svg": {"Date": None, "Creator": None},
}


def as_png(figure: Figure) -> bytes:
    """The figure as PNG, the same bytes every time."""
    return as_picture(figure, ".png")


def as_picture(figure: Figure, suffix: str) -> bytes:
    """The figure in the format of a suffix that `picture_suffix` gave, the same bytes every time."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "timeloom"}):
        figure.savefig(buffer, format=suffix[1:], dpi=120, metadata=METADATA[suffix])
    return buffer.getvalue()


def picture_suffix(path: str | Path) -> str:
    """The suffix of a picture's name, in lower case. Raises UsageError where no picture is written so."""
    suffix = Path(path).suffix.lower()
    if suffix not in METADATA:
        raise UsageError(f"cannot write the picture {str(path)!r}: its name ends in none of {', '.join(METADATA)}")
    return suffix
