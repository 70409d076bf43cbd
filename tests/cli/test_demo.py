"""The demo, whole: what the README promises of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from timeloom.cli.main import main


@pytest.fixture(autouse=True)
def kernels_as_they_are_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests have them built quickly; a whole training is quicker with quick ones."""
    monkeypatch.delenv("TIMELOOM_CXXFLAGS", raising=False)


def test_the_demo_tells_departure_from_destination(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "timeloom.cli.main", "demo", "--out", "d"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "arrive Taipei [destination] on November 2nd [time]" in lines
    assert "leave Taipei [departure] on November 2nd [time]" in lines
    for slot in ("departure", "destination", "stopover", "time"):
        row = next(line for line in lines if line.startswith(f"{slot}:"))
        assert float(row.split("FB1:")[1].split()[0]) > 85, row
    for path in ("d/model/config.json", "d/model/curves.png", "d/slots.png", "d/corpus/test.conll"):
        assert (tmp_path / path).exists()
        assert str(Path(path).parent) in done.stdout


def test_the_demo_replaces_only_its_own_model(tmp_path: Path, capsys) -> None:
    out = ["--out", str(tmp_path / "d"), "--epochs", "1"]
    assert main(["demo", *out]) == 0
    first = (tmp_path / "d" / "model" / "model.safetensors").read_bytes()
    assert main(["demo", *out]) == 0
    assert (tmp_path / "d" / "model" / "model.safetensors").read_bytes() == first
    (tmp_path / "d" / "corpus").rename(tmp_path / "mine")
    corpus = str(tmp_path / "mine" / "valid.conll")
    mine = ["train", "tag", "--train", corpus, "--out", str(tmp_path / "d" / "model"), "--overwrite", "--epochs", "1"]
    assert main(mine) == 0
    capsys.readouterr()
    assert main(["demo", *out]) == 2
    assert "not by a demo in this folder" in capsys.readouterr().err
