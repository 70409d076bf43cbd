"""Every command as a user calls it, in this process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import timeloom
from tests.corpora import TWENTY, write_conll
from timeloom.cli.main import COMMANDS, main
from timeloom.core.files import locked
from timeloom.tasks.folder import read_config, run_options
from timeloom.tasks.runs import keep_run, recall_run

SMALL = ["--hidden_size=16", "--embedding-size=16", "--epochs=25", "--batch_size=4", "--learning_rate=0.02"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    corpus = write_conll(folder / "corpus.conll")
    words = ["train", "tag", f"--train={corpus}", f"--valid={corpus}", f"--out={folder / 'm'}", *SMALL, "--quiet"]
    assert main([*words, "--dropout=0.1", "--word-dropout=0.0"]) == 0
    return folder / "m"


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)
    assert main([]) == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"timeloom {timeloom.__version__}\n"


@pytest.mark.parametrize("words", [["train", "tag"], ["evaluate"], ["predict"], ["sample"], ["demo"], ["train"]])
def test_each_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main([*words, "--help"])
    except SystemExit as done:
        code = done.code
    assert code == 0
    assert f"timeloom {words[0]}" in capsys.readouterr().out


def test_every_option_stands_in_help_in_yaml_and_in_config_json(
    model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "tag", "--help"])
    text = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "tag", "--train=x", "--out=y", "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    config = json.loads((model / "config.json").read_text())
    options = {name: value for part in ("data", "file", "model", "training") for name, value in config[part].items()}
    assert set(options) <= set(printed)
    for name in options:
        assert f"--{name}" in text
        if name in ("clip_norm", "schedule", "word_dropout", "bidirectional"):
            assert f"default: {printed[name]}" in text
    assert options["hidden_size"] == 16
    assert options["word_dropout"] == 0.0


def test_a_run_is_repeated_from_config_json_or_yaml(model: Path, tmp_path: Path) -> None:
    assert main(["train", "tag", "--config", str(model / "config.json"), f"--out={tmp_path / 'a'}", "--quiet"]) == 0
    config = json.loads((model / "config.json").read_text())
    flat = {name: value for part in ("data", "file", "model", "training") for name, value in config[part].items()}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(flat))
    assert main(["train", "tag", f"--config={tmp_path / 'run.yaml'}", f"--out={tmp_path / 'b'}", "--quiet"]) == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (model, tmp_path / "a", tmp_path / "b")]
    assert weights[0] == weights[1] == weights[2]
    assert (tmp_path / "a" / "config.json").read_bytes() == (model / "config.json").read_bytes()


def test_evaluate_prints_conlleval_and_json(model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(write_conll(tmp_path / "t.conll"))
    assert main(["evaluate", str(model), path]) == 0
    report = lines(capsys.readouterr().out)
    assert report[0].startswith("processed 88 tokens with")
    assert report[1].startswith("accuracy:")
    assert "FB1:" in report[2]
    assert main(["evaluate", str(model), path, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["f1"] > 90
    assert set(scores["types"]) == {"from", "to", "day"}
    assert scores["sentences"] == len(TWENTY)


def test_predict_from_files_and_stdin(
    model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.txt").write_text("fly from Oslo to Rome\nleave New York on Friday\n")
    assert main(["predict", str(model), str(tmp_path / "s.txt")]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert blocks[0].splitlines() == ["fly\tO", "from\tO", "Oslo\tB-from", "to\tO", "Rome\tB-to"]
    assert main(["predict", str(model), str(tmp_path / "s.txt"), "--output", "json"]) == 0
    rows = [json.loads(line) for line in lines(capsys.readouterr().out)]
    assert rows[1]["tokens"] == ["leave", "New", "York", "on", "Friday"]
    assert rows[1]["chunks"][0] == {
        "type": "from",
        "text": "New York",
        "start": 6,
        "end": 14,
        "tokens": [1, 3],
    }
    assert rows[1]["text"][6:14] == "New York"

    class Stdin:
        buffer = io.BytesIO(b'{"tokens": ["leave", "Rome"]}\n{"text": "reach Rome"}\n')

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["predict", str(model), "--output=json"]) == 0
    rows = [json.loads(line) for line in lines(capsys.readouterr().out)]
    assert [row["tags"] for row in rows] == [["O", "B-from"], ["O", "B-to"]]


def test_what_was_predicted_can_be_evaluated(model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_conll(tmp_path / "t.conll")
    for output, name in (("conll", "p.conll"), ("json", "p.jsonl")):
        assert main(["predict", str(model), str(tmp_path / "t.conll"), f"--output={output}"]) == 0
        (tmp_path / name).write_text(capsys.readouterr().out)
        assert main(["evaluate", str(model), str(tmp_path / name), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["f1"] == 100


def test_columns_of_the_training_files_are_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turned = tmp_path / "turned.conll"
    lines_ = write_conll(tmp_path / "c.conll").read_text().splitlines()
    turned.write_text("\n".join(" ".join(reversed(line.split())) for line in lines_) + "\n")
    columns = ["--token_column=1", "--tag_column=0"]
    out = str(tmp_path / "m")
    assert main(["train", "tag", f"--train={turned}", f"--out={out}", "--epochs=1", "--quiet", *columns]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--json", out, str(turned)]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == 88
    assert main(["predict", out, str(turned)]) == 0
    assert capsys.readouterr().out.startswith("fly\t")


def test_resume_and_overwrite_touch_only_what_is_timelooms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_conll(tmp_path / "c.conll")
    for name in ("holiday", "thesis.training"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dear").touch()
    for out in ("holiday", "thesis"):
        for how in ("--resume", "--overwrite"):
            assert main(["train", "tag", f"--train={corpus}", f"--out={tmp_path / out}", how, "--epochs=1"]) == 2
    assert (tmp_path / "holiday" / "dear").exists()
    assert (tmp_path / "thesis.training" / "dear").exists()
    begun = ["train", "tag", f"--out={tmp_path / 'm'}", "--epochs=1", "--quiet"]
    assert main([*begun, f"--train={corpus}"]) == 0
    kept = (tmp_path / "m.training" / "last.ckpt").read_bytes()
    assert main([*begun, "--train=nothing.conll", "--overwrite"]) == 2
    assert (tmp_path / "m.training" / "last.ckpt").read_bytes() == kept
    assert main([*begun, f"--train={corpus}", "--overwrite", "--resume"]) == 2
    assert "give one of them" in capsys.readouterr().err
    for out in ("", ".", "/"):
        assert main(["train", "tag", f"--train={corpus}", f"--out={out}", "--epochs=1"]) == 2
    assert "wanted the name of a folder" in capsys.readouterr().err


def test_two_runs_do_not_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_conll(tmp_path / "c.conll")
    (tmp_path / "m.training").mkdir()
    with locked(tmp_path / "m.training"):
        assert main(["train", "tag", f"--train={corpus}", f"--out={tmp_path / 'm'}", "--epochs=1"]) == 2
        assert not (tmp_path / "m").exists()
    assert "another run is at work" in capsys.readouterr().err


def test_without_valid_and_with_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_conll(tmp_path / "corpus.conll")
    words = ["train", "tag", f"--train={corpus}", f"--test={corpus}", f"--out={tmp_path / 'm'}", "--epochs=1"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "2 of the 20 sentences" in told.err
    assert "processed 88 tokens" in told.out
    assert str(tmp_path / "m") in told.out
    scores = json.loads((tmp_path / "m" / "config.json").read_text())["scores"]
    assert scores["test"]["tokens"] == 88
    assert (tmp_path / "m" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "m.training" / "log.csv").exists()


def test_flags_and_hyphens(tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / "corpus.conll")
    words = ["train", "tag", "--train", str(corpus), "--out", str(tmp_path / "m"), "--epochs", "1", "--quiet"]
    flags = ["--hidden-size", "8", "--characters", "cnn", "--no-bidirectional", "--clip-norm", "null"]
    assert main([*words, *flags]) == 0
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["model"]["characters"] == "cnn"
    assert config["model"]["bidirectional"] is False
    assert config["training"]["clip_norm"] is None


def test_it_never_overwrites_unasked(model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    corpus = write_conll(tmp_path / "corpus.conll")
    words = ["train", "tag", f"--train={corpus}", "--epochs=1", "--quiet", f"--out={tmp_path / 'm'}"]
    assert main(words) == 0
    before = (tmp_path / "m" / "model.safetensors").read_bytes()
    assert main(words) == 2
    assert "already there" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--seed=5"]) == 0
    assert (tmp_path / "m" / "model.safetensors").read_bytes() != before
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo").touch()
    assert main([*words[:-1], f"--out={tmp_path / 'holiday'}", "--overwrite"]) == 2
    assert "will not be replaced, for only a model may be" in capsys.readouterr().err
    assert (tmp_path / "holiday" / "photo").exists()


@pytest.mark.parametrize("recipe", sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml")), ids=lambda r: r.stem)
def test_a_recipe_is_a_config(recipe: Path, tmp_path: Path) -> None:
    """Its settings are options of `train tag`, and become those of the run."""
    pairs = [zip(words.split(), tags.split(), strict=True) for words, tags in TWENTY[:3]]
    (tmp_path / "t.conll").write_text("\n".join("".join(f"{w} x {t}\n" for w, t in pair) for pair in pairs))
    small = [f"--train={tmp_path / 't.conll'}", "--epochs=1", "--hidden_size=4", "--embedding_size=4", "--quiet"]
    assert main(["train", "tag", f"--config={recipe}", *small, f"--out={tmp_path / 'm'}"]) == 0
    settings = yaml.safe_load(recipe.read_text())
    assert settings
    assert settings.items() <= run_options(read_config(tmp_path / "m")).items()


def test_resume_takes_only_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_conll(tmp_path / "corpus.conll")
    words = ["train", "tag", f"--out={tmp_path / 'm'}", "--quiet"]
    assert main([*words, f"--train={corpus}", "--epochs=2", "--schedule=constant"]) == 0
    assert main([*words, "--resume", "--hidden_size=9"]) == 2
    said = capsys.readouterr().err
    assert "with another hidden_size: it began with 200, now came 9.\n  Leave --hidden_size out, or" in said
    begun = tmp_path / "m.training" / "run.json"
    run = recall_run(begun)
    assert run is not None
    del run["model"]["members"]
    keep_run(begun, run)
    assert main([*words, f"--train={corpus}", "--resume"]) == 2
    assert "was begun by a version of Timeloom that had no members" in capsys.readouterr().err
    run["model"] |= {"members": 2, "of_tomorrow": 1}
    keep_run(begun, run)
    assert main([*words, "--resume"]) == 2
    assert "was begun by a version of Timeloom that has of_tomorrow" in capsys.readouterr().err
    del run["model"]["of_tomorrow"]
    keep_run(begun, run)
    assert main([*words, "--resume", "--epochs=3"]) == 0
    longer = (tmp_path / "m" / "model.safetensors").read_bytes()
    write_conll(corpus, TWENTY[:-1])
    assert main([*words, "--resume"]) == 2
    assert "the data are not those" in capsys.readouterr().err
    write_conll(corpus)
    other = ["train", "tag", f"--train={corpus}", "--epochs=3", "--schedule=constant", "--quiet"]
    assert main([*other, f"--out={tmp_path / 'n'}"]) == 0
    assert (tmp_path / "n" / "model.safetensors").read_bytes() == longer


def test_nothing_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "tag", "--resume", f"--out={tmp_path / 'm'}"]) == 2
    assert "there is no run to go on with" in capsys.readouterr().err


def test_a_run_that_saved_nothing_is_in_nobodys_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "tag", f"--train={write_conll(tmp_path / 'c.conll')}", f"--out={tmp_path / 'm'}", "--epochs=1"]
    assert main([*words, "--accelerator=mps"]) == 2
    assert "cannot compute on accelerator mps" in capsys.readouterr().err
    assert main(words) == 0
    assert main([*words, "--resume"]) == 0
    assert "had already ended" in capsys.readouterr().err


def test_sections_in_yaml_and_yes_and_no(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        f"data:\n  train: {write_conll(tmp_path / 'c.conll')}\ntraining:\n  epochs: 1\nhidden_size: 7\n"
    )
    words = ["train", "tag", f"--config={tmp_path / 'run.yaml'}", f"--out={tmp_path / 'm'}", "--bidirectional", "no"]
    assert main(words) == 0
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert (config["model"]["hidden_size"], config["model"]["bidirectional"]) == (7, False)


def test_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(tmp_path / "c")]) == 0
    assert [Path(line).name for line in lines(capsys.readouterr().out)] == ["train.conll", "valid.conll", "test.conll"]


def test_the_front_door_is_light() -> None:
    code = (
        "import sys, timeloom; heavy = {'lightning_fabric', 'matplotlib', 'rich', 'jsonargparse', 'huggingface_hub'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_leaves_is_no_error(model: Path, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("fly to Rome\n" * 20000)
    words = [sys.executable, "-m", "timeloom.cli.main", "predict", str(model), str(tmp_path / "s.txt")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 0
