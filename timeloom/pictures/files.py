"""Figures as files."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


def as_png(figure: Figure) -> bytes:
    """The figure as PNG, without the date and the version that would make equal pictures unequal files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()
