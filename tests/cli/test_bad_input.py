"""What bad input gets: a message that names it, exit code 2 or 1, no traceback, and nothing lost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpora import TWENTY, write_conll
from timeloom.cli.main import main

Told = Callable[[], str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def read() -> str:
        err = capsys.readouterr().err
        assert "Traceback" not in err
        return err

    return read


def train(folder: Path, corpus: Path, *more: str) -> int:
    return main(["train", "tag", f"--train={corpus}", f"--out={folder / 'm'}", "--epochs=1", "--quiet", *more])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "t.conll: "),
        (b"\n\n\n", "t.conll: "),
        (b"fly O\nto\n", "t.conll:2: "),
        (b"fly O\nto O O\n", "t.conll:2: "),
        (b"fly O\nt\xff O\n", "t.conll:2: "),
        (b"fly X-\xc3\xa9\n", "t.conll"),
    ],
    ids=["empty", "blank", "no tag", "too many columns", "not UTF-8", "no such prefix"],
)
def test_bad_files(tmp_path: Path, told: Told, content: bytes, said: str) -> None:
    path = tmp_path / "t.conll"
    path.write_bytes(content)
    assert train(tmp_path, path, "--format=conll") == 2
    assert said in told()
    assert not (tmp_path / "m").exists()


def test_a_directory_and_a_missing_file(tmp_path: Path, told: Told) -> None:
    assert train(tmp_path, tmp_path) == 2
    assert str(tmp_path) in told()
    assert train(tmp_path, tmp_path / "nothing.conll") == 2
    assert "nothing.conll" in told()


def test_strict_names_the_line(tmp_path: Path, told: Told) -> None:
    path = write_conll(tmp_path / "t.conll", [*TWENTY, ("so Oslo", "O I-to")])
    number = len(path.read_text().splitlines())
    assert train(tmp_path, path, "--strict", "--scheme=bio") == 2
    assert f"t.conll:{number}: " in told()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["juggle"], "there is no command 'juggle'"),
        (["train", "juggle"], "there is no task 'juggle'"),
        (["train", "tag"], "--help"),
        (["train", "tag", "--train=x", "--out=y", "--hiden_size=3"], "did you mean --hidden_size?"),
        (
            ["train", "tag", "--train=x", "--out=y", "--hidden_size=many"],
            "--hidden_size: wanted int, got many",
        ),
        (["train", "tag", "--train=x", "--out=y", "--epochs=0"], "epochs is 0"),
        (["train", "tag", "--train=x", "--out=y", "--cell=lstn"], "--cell"),
        (["train", "tag", "--config=none.yaml", "--out=y"], "cannot read none.yaml"),
        (["evaluate", "nowhere", "x"], "there is no model at nowhere"),
        (["predict", "nowhere"], "there is no model at nowhere"),
        (["evaluate"], "--help"),
    ],
)
def test_wrong_words(words: list[str], said: str, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in told()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("epochs: [", "c.yaml:1: is not YAML"),
        ("epoch: 3", "c.yaml: has an unknown option: epoch (did you mean epochs?)"),
        ("just words", "c.yaml: holds no options"),
        ("epochs: few", "--epochs"),
    ],
)
def test_bad_config_files(tmp_path: Path, told: Told, content: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(content)
    assert train(tmp_path, write_conll(tmp_path / "t.conll"), f"--config={tmp_path / 'c.yaml'}") == 2
    assert said in told()


def test_a_loss_that_blows_up(tmp_path: Path, told: Told) -> None:
    corpus = write_conll(tmp_path / "t.conll")
    more = ["--optimizer=sgd", "--learning_rate=1e37", "--clip_norm=null", "--epochs=9"]
    assert train(tmp_path, corpus, *more) == 1
    text = told()
    assert "became" in text
    assert "learning_rate" in text
    assert not (tmp_path / "m").exists()


def limited(words: list[str], size: int) -> subprocess.CompletedProcess[str]:
    """Run timeloom where no file can grow past `size` bytes, as on a disk that is full."""
    return subprocess.run(
        [sys.executable, "-m", "timeloom.cli.main", *words],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def test_a_full_disk_keeps_what_was_saved(tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / "t.conll")
    words = [
        "train",
        "tag",
        f"--train={corpus}",
        f"--out={tmp_path / 'm'}",
        "--epochs=2",
        "--schedule=constant",
        "--hidden_size=32",
        "--quiet",
    ]
    assert main(words) == 0
    before = {
        path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "tensorboard" not in str(path)
    }
    done = limited([*words, "--resume", "--epochs=4"], 20_000)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    after = {path: path.read_bytes() for path in before}
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed <= {"run.json", ".lock"}
    assert not list(tmp_path.rglob("*.part"))


def test_a_place_that_cannot_be_written(tmp_path: Path, told: Told) -> None:
    corpus = write_conll(tmp_path / "t.conll")
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "m"  # a folder cannot lie in a file: what a missing right looks like, for root as well
    words = ["train", "tag", f"--train={corpus}", f"--out={out}", "--epochs=1", "--quiet"]
    assert main(words) == 1
    assert "Not a directory" in told()


def test_no_permission(tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the system's refusal is put in its mouth."""
    corpus = write_conll(tmp_path / "t.conll")

    def refuse(path: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert train(tmp_path, corpus) == 1
    assert "m.training: Permission denied" in told()


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "nowhere", "x", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_our_own_fault_is_called_that(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setattr("timeloom.cli.sample.run", lambda argv: 1 / 0)
    assert main(["sample", "x"]) == 1
    assert "ZeroDivisionError: division by zero\n  This is a fault in timeloom. --debug shows where" in told()
