"""Files whose names are not UTF-8: a training ends as any other, and can be gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import timeloom
from tests.corpora import write_conll
from timeloom.tasks.folder import read_config


def run(*words: str | bytes) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run([sys.executable, "-m", "timeloom", *words], capture_output=True)
    assert b"Traceback" not in done.stderr
    return done


def test_data_whose_name_is_not_utf8(tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / os.fsdecode(b"caf\xe9.conll"))
    small = ["--epochs=1", "--hidden_size=4", "--embedding_size=4", "--members=1", "--schedule=constant"]
    out = f"--out={tmp_path / 'm'}"
    done = run("train", "tag", f"--train={corpus}", out, *small)
    assert done.returncode == 0, done.stderr
    assert b"caf\\udce9.conll are held out" in done.stderr
    assert os.fsencode(read_config(tmp_path / "m")["data"]["train"]).endswith(b"caf\xe9.conll")
    done = run("train", "tag", out, "--resume", "--epochs=2")
    assert done.returncode == 0, done.stderr
    assert timeloom.load(tmp_path / "m")
    assert b"no such file" in run("evaluate", str(tmp_path / "m"), b"caf\xe8").stderr
