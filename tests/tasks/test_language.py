"""Language models: exact truncation, exact scores, text that comes back, and bad input."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tolerances import assert_close
from timeloom.core import DataError, ModelError, UsageError
from timeloom.data import TextOptions, WindowOptions, learn_tokenizer
from timeloom.tasks import Trained, load
from timeloom.tasks.language import (
    LANGUAGE_TEXT,
    GenerationOptions,
    LanguageData,
    LanguageModel,
    LanguageOptions,
    TextScores,
    evaluate_language_model,
    generate,
    score_text,
    train_language_model,
)
from timeloom.tasks.language.generation import drawn
from timeloom.tasks.language.training import LanguageProblem
from timeloom.train import Interrupted, TrainingOptions, Watch

SMALL = LanguageOptions(hidden_size=12, embedding_size=8, num_layers=1, dropout=0.0)
TEXT = "the cat sat on the mat and the dog sat on the log\n" * 6


def model_of(options: LanguageOptions = SMALL, text: str = TEXT, level: Any = "char") -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(options, learn_tokenizer([text], TextOptions(level, 300))).double().eval()


def numbers(model: LanguageModel, text: str = TEXT) -> Any:
    return np.array(model.tokenizer.encode(text), np.int32)


def epoch(
    model: LanguageModel, windows: WindowOptions, streams: int = 1, text: str = TEXT
) -> tuple[list[Tensor], Tensor]:
    """The gradients of the sum over all scored symbols in an epoch without updates, and that sum."""
    found = numbers(model, text)
    problem = LanguageProblem(model, found, found, windows, TrainingOptions(batch_size=streams))
    assert problem.streams == streams
    model.zero_grad()
    total, scored = torch.zeros((), dtype=torch.float64), 0
    for indices in problem.plan(0):
        batch = problem.batch(indices)
        count = int((batch.targets >= 0).sum())
        loss = model.loss(batch) * count
        loss.backward()
        problem.stepped(batch)
        total, scored = total + loss.detach(), scored + count
    assert scored == len(found) - 1, "every symbol but the first is scored, once"
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None], total


def test_one_window_is_full_back_propagation_through_time() -> None:
    model = model_of()
    gradients, total = epoch(model, WindowOptions(len(TEXT)))
    ids = torch.tensor(numbers(model)).long()[None]
    encoded, _ = model.read(ids[:, :-1])
    whole = model.surprise(encoded, ids[:, 1:]).sum()
    assert_close(total, whole.detach())
    assert_close(tuple(gradients), torch.autograd.grad(whole, list(model.parameters())))


@pytest.mark.parametrize("windows", [WindowOptions(7), WindowOptions(50, 0.5), WindowOptions(7, gradient_reach=10)])
def test_the_loss_does_not_depend_on_the_windows(windows: WindowOptions) -> None:
    model = model_of()
    _, whole = epoch(model, WindowOptions(len(TEXT)))
    gradients, total = epoch(model, windows)
    assert_close(total, whole)
    full, _ = epoch(model, WindowOptions(len(TEXT)))
    assert any((a - b).abs().max() > 1e-6 for a, b in zip(gradients, full, strict=True)), "gradients are cut short"


def test_windows_that_reach_back_to_the_beginning_give_the_full_gradient() -> None:
    model = model_of()
    full, whole = epoch(model, WindowOptions(len(TEXT)))
    gradients, total = epoch(model, WindowOptions(20, gradient_reach=len(TEXT)))
    assert_close(total, whole)
    assert_close(tuple(gradients), tuple(full))


def test_state_that_begins_anew_is_that_of_texts_of_their_own() -> None:
    model = model_of()
    text = TEXT + "t"  # 300 steps
    found = numbers(model, text)
    _, total = epoch(model, WindowOptions(25, state_reach=50), text=text)
    alone = sum(score_text(model, found[at : at + 51]).nats * len(found[at + 1 : at + 51]) for at in range(0, 300, 50))
    assert math.isclose(float(total), alone, rel_tol=1e-10)


def test_streams_are_parts_of_the_text() -> None:
    model = model_of()
    found = numbers(model)
    _, total = epoch(model, WindowOptions(10), streams=4)
    steps = -(-(len(found) - 1) // 4)
    alone = 0.0
    for at in range(0, len(found) - 1, steps):
        part = found[at : at + steps + 1]
        alone += score_text(model, part).nats * (len(part) - 1)
    assert math.isclose(float(total), alone, rel_tol=1e-10)


VARIANTS = [
    SMALL,
    replace(SMALL, tied=False),
    replace(SMALL, num_layers=2, hidden_size=8),
    replace(SMALL, tied=False, hidden_size=16, adaptive_cutoffs=[4, 8]),
    replace(SMALL, cell="scrn", cell_options={"context_size": 3}),
    replace(SMALL, cell="gru", dropout=0.5, locked=True, recurrent_dropout=0.2, weight_dropout=0.2),
]


@pytest.mark.parametrize("options", VARIANTS)
@torch.no_grad()
def test_one_step_after_another_gives_the_scores_of_the_whole(options: LanguageOptions) -> None:
    model = model_of(options)
    ids = torch.tensor(numbers(model)[:40]).long()
    encoded, _ = model.read(ids[None, :-1])
    surprise, state = model.surprise(encoded, ids[None, 1:]), None
    for at, nats in enumerate(surprise):
        y, state = model.layers.step(model.embedding(ids[at : at + 1]), state)
        chances = model.log_probabilities(y)[0]
        assert_close(chances.exp().sum(), torch.ones((), dtype=torch.float64))
        assert_close(-chances[ids[at + 1]], nats)
    scores = score_text(model, numbers(model)[:40])
    assert math.isclose(scores.nats, float(surprise.mean()), rel_tol=1e-10)
    assert math.isclose(scores.perplexity, math.exp(scores.nats))
    assert math.isclose(scores.bits, scores.nats / math.log(2))


def train(
    folder: Path,
    text: str = TEXT,
    *,
    name: str = "m",
    symbols: TextOptions | None = None,
    model: LanguageOptions = SMALL,
    windows: WindowOptions | None = None,
    **more: Any,
) -> Trained[LanguageModel, TextScores]:
    (folder / "text.txt").write_text(text, encoding="utf-8")
    options = TrainingOptions(**{"epochs": 3, "batch_size": 4, "learning_rate": 0.02, **more.pop("training", {})})
    data = LanguageData(str(folder / "text.txt"))
    windows = windows or WindowOptions(10)
    return train_language_model(data, symbols or LANGUAGE_TEXT, model, windows, options, folder / name, **more)


def test_hello_is_learned_from_one_word(tmp_path: Path) -> None:
    """The lecture's example: over the alphabet h, e, l, o, the l that follows an l must be told from the first."""
    run = train(tmp_path, "hello", training={"epochs": 60})
    model = load(tmp_path / "m")
    assert isinstance(model, LanguageModel)
    assert "".join(generate(model, "h", GenerationOptions(length=4, temperature=0))) == "ello"
    assert run.valid.perplexity < 1.1
    assert sorted(model.tokenizer.vocabulary.symbols) == ["<unk>", "e", "h", "l", "o"]


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_a_text_comes_back(tmp_path: Path, level: Any) -> None:
    symbols = TextOptions(level=level, vocabulary_size=280)
    run = train(tmp_path, TEXT * 5, symbols=symbols, training={"epochs": 20})
    scores = evaluate_language_model(run.model, tmp_path / "text.txt")
    first = "" if level == "word" else run.model.tokenizer.decode(run.model.tokenizer.encode(TEXT)[:1])
    assert scores.characters == len(TEXT) * 5 - len(first)  # of words all are foreseen
    assert scores.perplexity < 1.5
    prompt = "the cat " if level == "char" else "the cat"
    found = "".join(generate(run.model, prompt, GenerationOptions(length=4, temperature=0)))
    assert found.strip().startswith("sat")


def test_evaluation_sees_the_whole_file_with_the_state_carried(tmp_path: Path) -> None:
    run = train(tmp_path, TEXT, symbols=TextOptions(level="word"))
    long = TEXT * 30  # longer than what is read at once
    (tmp_path / "long.txt").write_text(long)
    scores = evaluate_language_model(run.model, tmp_path / "long.txt")
    ids = torch.tensor([[run.model.begin(), *run.model.tokenizer.encode(long)]])
    assert scores.symbols == ids.shape[1] - 1 == len(long.split()) + long.count("\n")
    with torch.no_grad():
        encoded, _ = run.model.read(ids[:, :-1])
        nats = float(run.model.surprise(encoded, ids[:, 1:]).mean())
    assert math.isclose(scores.nats, nats, rel_tol=1e-5)


def test_only_what_is_foreseen_counts(tmp_path: Path) -> None:
    run = train(tmp_path, TEXT)
    (tmp_path / "few.txt").write_text("tha")
    scores = evaluate_language_model(run.model, tmp_path / "few.txt")
    assert (scores.symbols, scores.characters) == (2, 2)
    assert scores.as_dict()["bits_per_character"] == scores.bits
    (tmp_path / "strange.txt").write_text("???")
    assert evaluate_language_model(run.model, tmp_path / "strange.txt").unknown == 2


def test_scores_that_are_no_numbers_are_said(tmp_path: Path) -> None:
    run = train(tmp_path, TEXT)
    with torch.no_grad():
        next(run.model.parameters()).fill_(math.nan)
    (tmp_path / "few.txt").write_text(TEXT)
    with pytest.raises(ModelError, match=r"the model's scores of .*few.txt are not numbers"):
        evaluate_language_model(run.model, tmp_path / "few.txt")
    assert math.isnan(TextScores(math.nan, 3).perplexity)


class StopAfter(Watch):
    def __init__(self, steps: int):
        self.steps = steps

    def stepped(self, epoch: int, loss: float) -> None:
        self.steps -= 1
        if self.steps == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("steps", [3, 9])
def test_a_stopped_run_ends_in_the_same_bytes(tmp_path: Path, steps: int) -> None:
    windows = WindowOptions(10, 0.5, gradient_reach=5)
    model = replace(SMALL, dropout=0.3)
    train(tmp_path, name="whole", model=model, windows=windows)
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        train(tmp_path, name="stopped", model=model, windows=windows, watch=StopAfter(steps))
    train(tmp_path, name="stopped", model=model, windows=windows, resume=True)
    whole, stopped = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert whole == stopped


def test_drawing() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.tensor([0.5, 0.3, 0.15, 0.05]).double().log()

    def seen(**options: Any) -> set[int]:
        return {drawn(scores, GenerationOptions(**options), generator) for _ in range(300)}

    assert seen() == {0, 1, 2, 3}
    assert seen(temperature=0) == seen(top_k=1) == seen(top_p=0.4) == seen(temperature=0.01) == {0}
    assert seen(top_k=2) == {0, 1}
    assert seen(top_p=0.81) == {0, 1, 2}
    assert seen(top_k=2, top_p=0.6) == {0}, "0.5 of the 0.8 that top_k leaves is more than 0.6 of it"
    many = [drawn(scores, GenerationOptions(temperature=2.0), generator) for _ in range(4000)]
    flat = scores.div(2).softmax(-1)
    assert abs(many.count(3) / 4000 - float(flat[3])) < 0.03


def test_the_same_seed_writes_the_same_text_and_nothing_unknown(tmp_path: Path) -> None:
    model = train(tmp_path).model
    texts = ["".join(generate(model, "the ", GenerationOptions(length=300, temperature=2, seed=s))) for s in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) == 300
    assert "<unk>" not in texts[0]


def test_half_characters_wait_for_their_other_half(tmp_path: Path) -> None:
    text = "日本語 日本 本語\n" * 40
    model = train(tmp_path, text, symbols=TextOptions(level="bpe", vocabulary_size=260), training={"epochs": 40}).model
    parts = list(generate(model, "日本", GenerationOptions(length=30, temperature=0)))
    assert all("\ufffd" not in part for part in parts[:-1])
    assert "本" in "".join(parts)


@pytest.mark.parametrize(
    ("prompt", "level", "named"),
    [("cat?", "char", r"character '\?'"), ("the zebra", "word", "word 'zebra'")],
)
def test_prompts_with_unknown_symbols_are_refused(tmp_path: Path, prompt: str, level: Any, named: str) -> None:
    model = train(tmp_path, symbols=TextOptions(level=level), training={"epochs": 1}).model
    with pytest.raises(UsageError, match=named):
        generate(model, prompt)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "text.txt: the file is empty"),
        (b"\xef\xbb\xbf", "text.txt: the file is empty"),
        (b"a", "text.txt: has one symbol only"),
        (b"caf\xe9", "text.txt: byte 0xe9 at offset 3 is not UTF-8"),
    ],
)
def test_texts_that_cannot_be_learned_are_named(tmp_path: Path, content: bytes, named: str) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    data = LanguageData(str(tmp_path / "text.txt"))
    with pytest.raises(DataError, match=named):
        train_language_model(data, LANGUAGE_TEXT, SMALL, WindowOptions(), TrainingOptions(), tmp_path / "m")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tied": False, "adaptive_cutoffs": [5, 500]}, "wanted numbers below that of the symbols"),
        ({"cell": "scrn", "cell_options": {"kontext": 3}}, "which the cell scrn does not take"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        model_of(replace(SMALL, **options))


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="add --no_tied"):
        LanguageOptions(adaptive_cutoffs=[5])
    with pytest.raises(UsageError, match="each larger than the last"):
        LanguageOptions(tied=False, adaptive_cutoffs=[5, 5])
