"""A module with settings, as a person's own, for tests/scan/test_guards.py: steps read what stands here."""

from __future__ import annotations

from types import SimpleNamespace

SCALE = 0.5
NESTED = SimpleNamespace(inner=SimpleNamespace(scale=0.5), table={"scale": [0.5]})


def scaled(a):  # type: ignore[no-untyped-def]
    return SCALE * a
