"""Text that a language model writes, a symbol at a time, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from timeloom.core import ModelError, UsageError, check_seed
from timeloom.data import EOS
from timeloom.tasks.language.model import LanguageModel

HALF = "\ufffd"  # what decoding gives for bytes that are no whole character yet


@dataclass(frozen=True)
class GenerationOptions:
    """How to choose the next symbol.

    Args:
        length: Symbols to write.
        temperature: 1 draws as the model says; less prefers what is likely, 0 takes the likeliest; more evens out.
        top_k: Draw from so many of the likeliest symbols only. null: from all.
        top_p: Draw from the likeliest symbols that together have this probability only.
        seed: Seed of the drawing. Same seed, same text. null: another text each time.
    """

    length: int = 500
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.length < 0:
            raise UsageError(f"length is {self.length}, wanted 0 or more")
        if not 0 <= self.temperature < math.inf:
            raise UsageError(f"temperature is {self.temperature}, wanted a finite number, 0 or more")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k is {self.top_k}, wanted 1 or more")
        if self.seed is not None:
            check_seed(self.seed)
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p}, wanted 0 < top_p ≤ 1")


def generate(model: LanguageModel, prompt: str = "", options: GenerationOptions | None = None) -> Iterator[str]:
    """The text that follows a prompt, piece by piece as it is drawn. `<unk>` is never drawn.

    Raises UsageError for a prompt with symbols that the model does not know, or an empty one where nothing in the
    model's symbols stands for the beginning of a text.
    """
    options = options or GenerationOptions()
    symbols = prompt_symbols(model, prompt)
    generator = torch.Generator()
    generator.seed() if options.seed is None else generator.manual_seed(options.seed)
    return written(model, symbols, options, generator)


def prompt_symbols(model: LanguageModel, prompt: str) -> list[int]:
    tokenizer, silent = model.tokenizer, model.tokenizer.never_written
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the prompt is not UTF-8 (character {error.start})") from error
    if strangers := tokenizer.unknown(prompt):
        what = "character" if tokenizer.level == "char" else "word"
        known = [tokenizer.vocabulary.symbols[n] for n in range(len(tokenizer.vocabulary)) if n not in silent]
        some = ", ".join(map(repr, known[:40])) + (", ..." if len(known) > 40 else "")
        raise UsageError(
            f"the prompt has the {what} {strangers[0]!r}, which the model has never seen.\n"
            f"  It knows {len(known)}: {some}"
        )
    begin = model.begin()
    # Words stood behind the end of a line in training; other prompts are read as they stand.
    before = [] if begin is None or (prompt and EOS not in tokenizer.vocabulary) else [begin]
    symbols = [*before, *tokenizer.encode(prompt)]
    if not symbols:
        raise UsageError("the model knows no end of a line, which would stand before a text; give a --prompt")
    return symbols


@torch.inference_mode()
def written(
    model: LanguageModel, symbols: list[int], options: GenerationOptions, generator: torch.Generator
) -> Iterator[str]:
    device = model.embedding.weight.device
    encoded, state = model.read(torch.tensor([symbols], device=device))
    encoded = encoded[:, -1]
    pending: list[int] = []
    for _ in range(options.length):
        scores = model.log_probabilities(encoded)[0].double().cpu()
        if not scores.isfinite().all():
            raise ModelError("the model's scores are not numbers: its weights are damaged.\n  Train it anew.")
        scores[model.tokenizer.never_written] = -math.inf
        number = drawn(scores, options, generator)
        pending.append(number)
        text = model.tokenizer.decode(pending)
        if not text.endswith(HALF) or len(pending) > 4:
            yield text
            pending = []
        encoded, state = model.layers.step(model.embedding(torch.tensor([number], device=device)), state)
    if pending:
        yield model.tokenizer.decode(pending)


def drawn(scores: Tensor, options: GenerationOptions, generator: torch.Generator) -> int:
    """A symbol drawn from log-probabilities (V,)."""
    if options.temperature == 0:
        return int(scores.argmax())
    scores = (scores - scores.max()) / options.temperature
    chances, order = scores.softmax(-1).sort(descending=True, stable=True)
    if options.top_k is not None:
        chances[options.top_k :] = 0
        chances /= chances.sum()  # top_p is a share of what is left
    if options.top_p < 1:
        chances[1:][chances.cumsum(0)[:-1] >= options.top_p] = 0
    return int(order[chances.multinomial(1, generator=generator)])
