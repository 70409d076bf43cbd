"""Seeds of random numbers."""

from __future__ import annotations

from timeloom.core.errors import UsageError


def check_seed(seed: int) -> None:
    """Raise a UsageError for a number that torch does not take as a seed."""
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {seed}, wanted 0 or more, and less than 2^63")
