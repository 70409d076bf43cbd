"""The table of language models, and how fast they learn beside torch.nn's LSTM in the same loop."""

from __future__ import annotations

import math
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from page import machine
from runs import RUNS, data, trained
from torch import Tensor, nn
from torch.optim import Optimizer

from timeloom.data import TextOptions, WindowOptions
from timeloom.tasks.language import LANGUAGE_TRAINING, LanguageData, LanguageModel, LanguageOptions
from timeloom.tasks.language.data import learn_symbols, parts
from timeloom.tasks.language.training import LanguageProblem
from timeloom.train import TrainingOptions, Watch
from timeloom.train.optimizer import make_optimizer

STEPS, TURNS = 12, 5

LEARNED_BY_WORDS = [
    *("--level=word", "--epochs=10", "--seed=1", "--batch_size=20", "--schedule=linear"),
    *("--optimizer=sgd", "--learning_rate=20", "--clip_norm=0.25"),
]
SHAKESPEARE = [
    *("--level=char", "--epochs=12", "--seed=1", "--window=50", "--no_tied", "--embedding_size=64"),
    *("--hidden_size=512", "--num_layers=2", "--dropout=0.35"),
]


def language() -> str:
    """Perplexities of PTB and tiny Shakespeare."""
    small = [
        *("--cell=scrn", "--hidden_size=100", "--cell_options={context_size: 40}", "--num_layers=1"),
        *("--embedding_size=140", "--dropout=0.1"),
    ]
    runs = {
        "PTB words, LSTM 2 × 200": ("ptb-lstm", [*ptb_files(), *LEARNED_BY_WORDS, "--dropout=0.2"]),
        "PTB words, SCRN 100 + 40": ("ptb-scrn", [*ptb_files(), *LEARNED_BY_WORDS, *small]),
        "tiny Shakespeare, characters, LSTM 2 × 512": ("shakespeare", [*shakespeare_files(), *SHAKESPEARE]),
    }
    done = trained({f"language/{name}": words for name, words in runs.values()}, "language", at_a_time=1)
    rows = []
    for title, (name, words) in runs.items():
        run = done[f"language/{name}"]
        given = " ".join(f"`{word}`" for word in words if not word.startswith(("--train=", "--valid=", "--test=")))
        rows.append(
            f"| {title} | {given} | {run.valid['nats']:.3f} | {run.valid['perplexity']:.2f} | "
            f"{run.test['perplexity']:.2f} | {run.epoch} of {run.epochs} | {run.minutes:.0f} |"
        )
    speeds = {name: by_turns(how()) for name, how in (("words", of_words), ("characters", of_characters))}
    said = "; ".join(
        f"{statistics.median(ours):,.0f} {name} a second with our layers, {statistics.median(theirs):,.0f} with theirs"
        for name, (ours, theirs) in speeds.items()
    )
    return "\n".join(
        [
            "## Language models",
            "",
            "Nothing is pretrained; the best epoch on the validation part is kept; scores are over the whole file with "
            "the state carried, every `<eos>` counted. Tiny Shakespeare is parted 90 to 10 and has no test part: its "
            "last score is of the same tenth.",
            "",
            "| what | options | validation nats | validation perplexity | test perplexity | epoch | minutes |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Published: LSTM 2 × 200 without dropout 114.5 (Zaremba, Sutskever and Vinyals 2014), SCRN 100 + 40 115 "
            "(Mikolov et al. 2014), tiny Shakespeare about 1.47 nats with a small transformer.",
            "",
            "Speed in training of the LSTMs as above, and with torch.nn's in the place of the layers in the same loop, "
            f"by turns: {said}.",
            "",
            f"Command: `make results-language`. Machine: {machine()}.",
        ]
    )


def ptb_files() -> list[str]:
    return [f"--{part}={data('ptb') / f'ptb.{part}.txt.gz'}" for part in ("train", "valid", "test")]


def shakespeare_files() -> list[str]:
    folder = RUNS / "shakespeare-text"
    folder.mkdir(parents=True, exist_ok=True)
    text = (data("tinyshakespeare") / "input.txt").read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    (folder / "train.txt").write_text(text[:cut], encoding="utf-8")
    (folder / "valid.txt").write_text(text[cut:], encoding="utf-8")
    return [f"--train={folder / 'train.txt'}", *(f"--{part}={folder / 'valid.txt'}" for part in ("valid", "test"))]


class Torch(nn.Module):
    """torch.nn's LSTM in the place of our layers."""

    def __init__(self, width: int, size: int, layers: int, dropout: float):
        super().__init__()
        self.lstm = nn.LSTM(width, size, layers, batch_first=True, dropout=dropout)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return self.lstm(x, state)


@dataclass(frozen=True)
class Task:
    """What is learned in one of the speeds."""

    file: Path
    level: Literal["char", "word"]
    model: LanguageOptions
    windows: WindowOptions
    training: TrainingOptions


def of_words() -> Task:
    training = replace(LANGUAGE_TRAINING, batch_size=20, optimizer="sgd", learning_rate=20, clip_norm=0.25)
    return Task(data("ptb") / "ptb.train.txt.gz", "word", LanguageOptions(dropout=0.2), WindowOptions(), training)


def of_characters() -> Task:
    model = LanguageOptions(tied=False, embedding_size=64, hidden_size=512, num_layers=2, dropout=0.35)
    shakespeare_files()
    return Task(RUNS / "shakespeare-text" / "train.txt", "char", model, WindowOptions(window=50), LANGUAGE_TRAINING)


def by_turns(task: Task) -> tuple[list[float], list[float]]:
    """Symbols a second, of our layers and of torch.nn's."""
    files = LanguageData(str(task.file))
    tokenizer, _ = learn_symbols(files, TextOptions(level=task.level))
    folder = RUNS / "language"
    folder.mkdir(parents=True, exist_ok=True)
    text, _ = parts(files, tokenizer, folder, Watch())
    contenders = []
    for with_torch in (False, True):
        options = task.model
        model = LanguageModel(options, tokenizer)
        if with_torch:
            model.layers = Torch(  # type: ignore[assignment]
                options.embedding_size, options.hidden_size, options.num_layers, options.dropout
            )
        optimizer = make_optimizer(model.parameters(), task.training)
        contenders.append((optimizer, LanguageProblem(model, text, text, task.windows, task.training)))
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS + 1):
        for found, contender in zip(rates, contenders, strict=True):
            rate = learn(contender, task.training.clip_norm or math.inf)
            if turn > 0:  # the first builds and warms
                found.append(rate)
    for file in folder.glob("*.numbers"):
        file.unlink()
    return rates


def learn(contender: tuple[Optimizer, LanguageProblem], clip_norm: float) -> float:
    optimizer, problem = contender
    model = problem.model
    started, symbols = time.perf_counter(), 0
    for window in problem.plan(0)[:STEPS]:
        batch = problem.batch(window)
        optimizer.zero_grad()
        model.loss(batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        problem.stepped(batch)
        symbols += batch.targets.numel()
    return symbols / (time.perf_counter() - started)


if __name__ == "__main__":
    for how in (of_words, of_characters):
        print(*by_turns(how()), file=sys.stderr)
