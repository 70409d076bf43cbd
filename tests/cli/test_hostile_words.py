"""The command line in odd company: closed streams, names that are no UTF-8, escapes of the terminal, hostile YAML."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from timeloom.cli.main import main
from timeloom.cli.parser import config_file, read_options
from timeloom.cli.train import parser_of
from timeloom.core import DataError, TimeloomError, UsageError
from timeloom.core.plain import shown
from timeloom.data import Tokenizer
from timeloom.tasks import Classifier, ClassifierOptions
from timeloom.tasks.folder import write_model
from timeloom.train import TerminalWatch

TOKENIZER = {"level": "word", "symbols": ["<pad>", "<unk>", "a"], "merges": "", "lowercase": True, "punctuation": True}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    options = ClassifierOptions(cell="elman", hidden_size=4, embedding_size=4)
    classifier = Classifier(options, ["x\x1b[2J", "y\x9b2J"], Tokenizer.of(TOKENIZER))
    folder = tmp_path_factory.mktemp("models") / "m"
    write_model(folder, {"task": "classify", "file": {}, **classifier.config()}, classifier.state_dict())
    return folder


def shell(line: str, *words: str | bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh, in which $0 is timeloom's Python and the words are "$@"."""
    return subprocess.run(["sh", "-c", line, sys.executable, *words], capture_output=True)


def test_closed_streams(model: Path) -> None:
    done = shell('"$0" -m timeloom.cli.main "$@" <&-', "predict", str(model))
    assert (done.returncode, b"standard input is closed" in done.stderr) == (2, True)
    done = shell('"$0" -m timeloom.cli.main "$@" >&-', "cells")
    assert (done.returncode, b"standard output is closed" in done.stderr) == (2, True)
    done = shell('"$0" -m timeloom.cli.main "$@" 2>&-', "cells")
    assert (done.returncode, b"lstm" in done.stdout) == (0, True)


def test_names_that_are_no_utf8(model: Path, tmp_path: Path) -> None:
    strange = os.fsencode(tmp_path) + b"/\xff.txt"
    Path(os.fsdecode(strange)).write_text("x a\n")
    done = shell('"$0" -m timeloom.cli.main "$@"', "evaluate", str(model), strange, "--format=lines")
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    for words in (
        [b"evaluate", b"\xff", b"x"],
        [b"\xff"],
        [b"cells", b"--\xff"],
        [b"train", b"tag", b"--train=\xff", b"--out=x", b"--epochs=\xff"],
    ):
        done = shell('"$0" -m timeloom.cli.main "$@"', *words)
        assert (done.returncode, b"fault in timeloom" in done.stderr, b"\\udcff" in done.stderr) == (2, False, True)


def test_escapes_in_labels_are_not_obeyed(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("x a\ny\x1b[1m a\n")
    for words in (
        ["predict"],
        ["predict", "--output=json"],
        ["predict", "--explain"],
        ["evaluate"],
        ["evaluate", "--json"],
    ):
        assert main([words[0], str(model), str(tmp_path / "a.txt"), *words[1:], "--format=lines"]) == 0
        out = capsys.readouterr()
        assert "\x1b" not in out.out + out.err
        assert "\x9b" not in out.out + out.err
        if "json" in words[-1]:
            assert "y\x9b2J" in json.dumps([json.loads(line) for line in out.out.splitlines()], ensure_ascii=False)
    assert shown("a\tb\n\x1b\x9b\u202e\ud800\r") == "a\tb\n\\u001b\\u009b\\u202e\\ud800\\u000d"


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_pictures_are_what_their_names_say(model: Path, tmp_path: Path, suffix: str) -> None:
    begin = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix]
    (tmp_path / "a.txt").write_text("a\n")
    out = tmp_path / f"p{suffix}"
    contents = []
    for _ in range(2):
        assert main(["look", "gates", str(model), "a a", "--out", str(out)]) == 0
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(begin)
    assert main(["predict", str(model), str(tmp_path / "a.txt"), "--picture", str(out)]) == 0
    assert out.read_bytes().startswith(begin)


def test_pictures_that_nobody_can_write(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("p.gif", "p", "p.png.txt"):
        assert main(["look", "gates", "nowhere", "a", "--out", str(tmp_path / name)]) == 2
        assert "its name ends in none of .png, .pdf, .svg" in capsys.readouterr().err
    assert main(["predict", str(model), "nowhere", "--picture", "p.gif"]) == 2
    assert "its name ends in none of" in capsys.readouterr().err


@pytest.mark.parametrize("written", [["--out=-x"], ["--out", "-x"], ["--out=--x"], ["--out=-1"], ["--out", "-1"]])
def test_out_may_begin_with_a_dash(
    written: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "classify", "--train=nowhere.csv", *written]) == 2
    assert "nowhere.csv: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("train: &a [x]\nvalid: *a\n", "c.yaml:2: is not YAML: anchors"),
        ("train: !!binary aGk=\n", "c.yaml:1: is not YAML: binary is no kind of value"),
        ("epochs: !!set {1}\n", "set is no kind of value"),
        ("train: !!python/object:os.system x\n", "is not YAML"),
        ("epochs: !!int x\n", "holds what options cannot be"),
        ("x: " + "[" * 5000, "is not YAML|holds what options cannot be"),
        ("\0", "is not YAML"),
    ],
)
def test_yaml_with_what_options_have_no_use_for(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(DataError, match=said):
        read_options(tmp_path / "c.yaml")


def test_a_date_is_text_and_a_device_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("train: 2020-01-01\n")
    assert read_options(tmp_path / "c.yaml") == {"train": "2020-01-01"}
    with pytest.raises(UsageError, match="no regular file"):
        read_options(Path("/dev/zero"))


def test_limits_are_lifted_by_a_switch(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("x " + "a " * 60_000 + "\n")
    words = ["predict", str(model), str(tmp_path / "a.txt")]
    assert main(words) == 2
    assert "--no_limits" in capsys.readouterr().err
    assert main([*words, "--no-limits"]) == 0


def test_lines_now_and_then_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    watch = TerminalWatch(Console(file=stream, soft_wrap=True), line_seconds=0.0)
    watch.begin(4, 1)
    watch.stepped(0, 2.0)
    watch.stepped(0, 2.0)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("epoch   1  loss 2.0000  50 % done, at most ")
    assert lines[1].startswith("epoch   1  loss 2.0000  75 % done, at most ")
    assert lines[1].endswith(" s left")
    quiet = io.StringIO()
    watch = TerminalWatch(Console(file=quiet, soft_wrap=True))
    watch.begin(4, 1)
    watch.stepped(0, 2.0)
    assert quiet.getvalue() == ""


def test_a_config_whose_sections_are_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"task": "classify", "training": 5}')
    with pytest.raises(TimeloomError, match="no options under 'training'"):
        config_file(tmp_path / "config.json", parser_of("classify"))
