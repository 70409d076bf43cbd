"""A real run, killed by SIGKILL again and again, ends in the bytes of a run that was left in peace.

tests/tasks/test_crashes.py takes the moments one by one that chance may not hit here.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.corpora import write_conll

KILLS = 8


def command(folder: Path, out: str, *more: str) -> list[str]:
    options = ["--batch_size=4", "--epochs=150", "--hidden_size=8", "--embedding_size=8", "--checkpoint_seconds=0"]
    options += ["--output=softmax", "--characters=none"]  # what is tried here is the training, not the model
    corpus = str(write_conll(folder / "corpus.conll"))
    files = [f"--train={corpus}", f"--valid={corpus}", f"--out={folder / out}"]
    return [sys.executable, "-m", "timeloom.cli.main", "train", "tag", *files, *options, *more]


def started(words: list[str]) -> subprocess.Popen[str]:
    # One thread: two tiny runs side by side would only wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_a_new_checkpoint(path: Path, run: subprocess.Popen[str]) -> None:
    before = path.stat().st_mtime_ns if path.exists() else None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and run.poll() is None:
        if path.exists() and path.stat().st_mtime_ns != before:
            return
        time.sleep(0.002)


def finished(run: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = run.communicate(timeout=240)
    assert run.returncode == 0, err
    return out, err


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("unbroken")
    finished(started(command(folder, "m")))
    return (folder / "m" / "model.safetensors").read_bytes()


def test_sigkill_at_random_moments(tmp_path: Path, unbroken: bytes) -> None:
    seed = random.randrange(10**6)
    print(f"moments drawn with seed {seed}")  # shown by pytest when the test fails
    moments = random.Random(seed)
    checkpoint = tmp_path / "m.training" / "last.ckpt"
    for number in range(KILLS):
        run = started(command(tmp_path, "m", "--resume"))
        if number % 3 < 2:  # every third may come while it starts
            wait_for_a_new_checkpoint(checkpoint, run)
            time.sleep(moments.uniform(0, 0.3))
        else:
            time.sleep(moments.uniform(0, 3))
        run.kill()
        run.communicate()
        assert run.returncode == -signal.SIGKILL, "the run ended before it was killed: it tests nothing"
        assert not (tmp_path / "m").exists()
    finished(started(command(tmp_path, "m", "--resume")))
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == unbroken


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, unbroken: bytes) -> None:
    run = started(command(tmp_path, "m", "--checkpoint_seconds=1000"))
    wait_for_a_new_checkpoint(tmp_path / "m.training" / "last.ckpt", run)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in err
    go_on = err.split("Go on with: timeloom ")[1].split()
    out, _ = finished(started([sys.executable, "-m", "timeloom.cli.main", *go_on]))
    assert "of 150 is kept" in out
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == unbroken
