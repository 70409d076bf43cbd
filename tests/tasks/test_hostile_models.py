"""Model folders that are damaged or hostile: a message at once, no memory taken, nothing waited for."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import timeloom
from timeloom.cells import CELLS
from timeloom.cli.main import main
from timeloom.core import ModelError, TimeloomError
from timeloom.data import Tokenizer
from timeloom.tasks import (
    Classifier,
    ClassifierOptions,
    KeytermExtractor,
    KeytermOptions,
    LanguageModel,
    LanguageOptions,
)
from timeloom.tasks.folder import write_model
from timeloom.tasks.load import untrained
from timeloom.tasks.tagging import Tagger, TaggerOptions

SYMBOLS = ["<pad>", "<unk>", "a", "b"]
VOCABULARY = {"words": SYMBOLS, "tags": ["O", "B-x", "I-x"], "characters": SYMBOLS, "labels": ["q", "r"]}
TOKENIZER = {"level": "word", "symbols": SYMBOLS, "merges": "", "lowercase": True, "punctuation": True}
SMALL: dict[str, Any] = {"hidden_size": 4, "embedding_size": 4}
Make = Callable[[], Any]
MODELS: dict[str, Make] = {
    "tag": lambda: Tagger(TaggerOptions(**SMALL, members=1), VOCABULARY, [SYMBOLS]),
    "classify": lambda: Classifier(ClassifierOptions(**SMALL), ["x", "y"], Tokenizer.of(TOKENIZER)),
    "keyterms": lambda: KeytermExtractor(KeytermOptions(**SMALL), SYMBOLS),
    "language": lambda: LanguageModel(LanguageOptions(**SMALL), Tokenizer.of(TOKENIZER)),
}


def saved(path: Path, task: str, model: Any = None) -> tuple[Path, dict[str, Any]]:
    torch.manual_seed(0)
    model = model or MODELS[task]()
    training = {"seed": 1, "epochs": 1}
    write_model(path, {"task": task, "training": training, "file": {}, **model.config()}, model.state_dict())
    return path, json.loads((path / "config.json").read_text())


def refused(path: Path, config: Any) -> str:
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(ModelError) as caught:
        timeloom.load(path)
    return str(caught.value)


@pytest.mark.parametrize("cell", list(CELLS))
def test_the_skeleton_has_the_shapes_of_every_cell(tmp_path: Path, cell: Any) -> None:
    options = TaggerOptions(**SMALL, cell=cell, output="svm", characters="recurrent", shared_tags=True)
    path, _ = saved(tmp_path / "m", "tag", Tagger(options, VOCABULARY))
    assert isinstance(timeloom.load(path), Tagger)


@pytest.mark.parametrize("task", list(MODELS))
def test_what_is_whole_is_loaded(tmp_path: Path, task: str) -> None:
    path, _ = saved(tmp_path / "m", task)
    timeloom.load(path)
    untrained(path)


@pytest.mark.parametrize("task", list(MODELS))
def test_numbers_and_texts_where_sections_belong(tmp_path: Path, task: str) -> None:
    path, config = saved(tmp_path / "m", task)
    for name in ("model", "training", "file", "vocabulary", "tokenizer", "labels", "features"):
        for value in (5, "text", [1], {"x": {}}):
            if (name, task) != ("file", "language") and name in config:
                assert str(path) in refused(path, {**config, name: value})
    assert "names no task" in refused(path, {**config, "task": 5})
    assert "is a model for the task 'fly'" in refused(path, {**config, "task": "fly"})
    assert "is not JSON" in refused(path, '{"task": ' + "[" * 100_000)
    assert '"hidden_size" of "model" is ' in refused(path, {**config, "model": {**config["model"], "hidden_size": 1.5}})


def test_sizes_that_the_weights_do_not_have(tmp_path: Path) -> None:
    for task in MODELS:
        path, config = saved(tmp_path / task, task)
        for name, size in (("hidden_size", 120_000), ("num_layers", 1_000_000), ("embedding_size", 1 << 60)):
            said = refused(path, {**config, "model": {**config["model"], name: size}})
            assert "damaged model" in said


def test_empty_vocabularies(tmp_path: Path) -> None:
    path, config = saved(tmp_path / "c", "classify")
    for part in ({"symbols": []}, {"symbols": ["a"]}, {"level": "bpe"}, {"level": 5}, {"merges": None}):
        refused(path, {**config, "tokenizer": {**config["tokenizer"], **part}})
    refused(path, {**config, "labels": []})
    path, config = saved(tmp_path / "k", "keyterms")
    assert '"vocabulary" does not begin' in refused(path, {**config, "vocabulary": []})


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64, torch.int32])
def test_weights_of_other_types(tmp_path: Path, dtype: torch.dtype) -> None:
    path, config = saved(tmp_path / "m", "classify")
    weights = safetensors.torch.load_file(path / "model.safetensors")
    config.pop("weights_sha256")
    safetensors.torch.save_file({name: w.to(dtype) for name, w in weights.items()}, path / "model.safetensors")
    assert "wanted" in refused(path, config)


def test_what_is_no_regular_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("config.json", "model.safetensors"):
        path, _ = saved(tmp_path / name / "m", "classify")
        (path / name).unlink()
        (path / name).symlink_to("/dev/zero")
        with pytest.raises(ModelError, match="is no regular file"):
            timeloom.load(path)
        (path / name).unlink()
        os.mkfifo(path / name)
        with pytest.raises(ModelError, match="is no regular file"):
            timeloom.load(path)
        assert main(["evaluate", str(path), "x"]) == 2
        assert "is no regular file" in capsys.readouterr().err


JUNK = [
    None,
    True,
    -1,
    0,
    3,
    1 << 40,
    1 << 70,
    1.5,
    float("nan"),
    "",
    "x",
    "\ud800",
    "\x1b[2J",
    [],
    [[]],
    ["x", "x"],
    {},
]


def mutated(config: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The config with a part of it replaced or gone."""
    config = copy.deepcopy(config)
    place: Any = config
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and chance.random() < 0.7:
            place = place[key]
            continue
        if chance.random() < 0.2:
            del place[key]
        else:
            place[key] = chance.choice(JUNK)
        return config


@pytest.mark.parametrize("task", list(MODELS))
def test_only_errors_of_ours_come_of_damaged_configs(tmp_path: Path, task: str) -> None:
    path, config = saved(tmp_path / "m", task)
    chance = random.Random(0)
    for _ in range(150):
        (path / "config.json").write_text(json.dumps(mutated(config, chance)))
        with contextlib.suppress(TimeloomError):
            timeloom.load(path)


def test_only_errors_of_ours_come_of_damaged_weights(tmp_path: Path) -> None:
    path, config = saved(tmp_path / "m", "classify")
    config.pop("weights_sha256")
    (path / "config.json").write_text(json.dumps(config))
    whole, chance = (path / "model.safetensors").read_bytes(), random.Random(0)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(1400)] = chance.randrange(256)
        (path / "model.safetensors").write_bytes(content[: chance.choice([None, None, 5, 900])])
        with contextlib.suppress(TimeloomError):
            timeloom.load(path)
