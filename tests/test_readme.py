"""Every Python snippet of the README and the docs runs, unless a comment before it says what it needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"(<!-- skip: [^\n]+-->\n)?```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    skipped, code = SNIPPETS[number]
    compiled = compile(code, f"README.md, snippet {number + 1}", "exec")
    if skipped:
        assert "demo/model" in code  # tests/tasks makes the same calls on a model of its own
        return
    exec(compiled, {"__name__": "__main__"})
    assert float(capsys.readouterr().out) < 0.05  # the cell in ten lines has learned its task


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_the_snippets_of_a_page(page: Path) -> None:
    scope: dict[str, object] = {"__name__": "__main__"}  # they build on each other
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
        exec(compile(code, f"{page.name}, snippet {number + 1}", "exec"), scope)


def test_the_readme_names_every_command() -> None:
    from timeloom.cli.main import COMMANDS

    missing = [name for name in COMMANDS if f"timeloom {name}" not in README and f"make {name}" not in README]
    assert not missing
