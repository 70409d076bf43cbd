"""Both ways a scan can run, for tests that must hold on each: `from tests.ways import both_ways  # noqa: F401`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from timeloom.scan import plain_loop


@pytest.fixture(autouse=True, params=["fused", "plain"], scope="module")
def both_ways(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "plain":
        with plain_loop():
            yield request.param
    else:
        yield request.param
