"""Fixtures that all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import settings

REPOSITORY = Path(__file__).parents[1]

# How long one example takes says nothing on a shared machine.
settings.register_profile("timeloom", deadline=None)
settings.load_profile("timeloom")

# Tests run in two processes side by side (`make test`), each of which has one core to itself; so have its children.
# Hundreds of kernels are built there, and quickly. tests/scan/test_fused.py, the demo's tests, and `make bench` before
# it times, have them as they are shipped.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("TIMELOOM_CXXFLAGS", "-O0")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The path of a file or folder of the shared data sets; the test is skipped where it is missing."""
    root = Path(os.environ.get("TIMELOOM_DATA") or REPOSITORY.parent / "shared" / "data")

    def find(subpath: str) -> Path:
        path = root / subpath
        if not path.exists():
            pytest.skip(f"the data set {subpath} is not here; set TIMELOOM_DATA to the folder that has it")
        return path

    return find
