"""What the pictures of a model's inside need of it, whatever its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeloom.core import DataError, UsageError
from timeloom.data import Document, Example, Sentence, pieces, words_of
from timeloom.layers import Recurrent
from timeloom.tasks.classify import Classifier, LabelledFile
from timeloom.tasks.keyterms import DocumentFile, KeytermExtractor
from timeloom.tasks.language import LanguageModel
from timeloom.tasks.language.model import Slice
from timeloom.tasks.load import Model
from timeloom.tasks.tagging import TaggedFile, Tagger


def layers_of(model: Model) -> Recurrent:
    """The recurrent layers of a model. Raises UsageError where it has none."""
    layers = model.layers if isinstance(model, LanguageModel) else model.encoder
    if layers is None:
        raise UsageError("the model has no recurrent layer")
    return layers


def members_of(model: Model) -> int:
    """Of how many encoders `layers_of` gives the first: those whose losses have a mean that is the model's."""
    return len(model.members) if isinstance(model, Tagger) else 1


@torch.no_grad()
def steps_of_text(model: Model, text: str) -> tuple[list[str], Tensor]:
    """The steps that a model makes of a text, in words, and what its first layer reads of each: (T, I)."""
    model.eval()
    if isinstance(model, Tagger):
        sentence = Sentence(tuple(text.split()))
        if not sentence.tokens:
            raise UsageError("the text is empty")
        return list(sentence.tokens), model.word_vectors(model.encode([sentence]))[0]
    if isinstance(model, KeytermExtractor):
        if not words_of(text):
            raise UsageError("the text is empty")
        batch = model.encode([Document(tuple(words_of(text)))])
        return words_of(text), model.embedding(batch.words.data)[0]
    if model.tokenizer is None:
        raise UsageError("the model reads series of vectors, and a text came")
    numbers = model.tokenizer.encode(text)
    if not numbers:
        raise UsageError("the text is empty")
    words = [word.strip() or "␣" for word in model.tokenizer.written(text)]
    if isinstance(model, Classifier):
        return words, model.vectors(model.encode([Example(text)], grams=False))[0]
    return words, model.embedding(torch.tensor([numbers]))[0]


def known_labels(model: Classifier, example: Example) -> bool:
    return model.several or any(label in model.labels for label in example.labels)


def loss_over_file(
    model: Model, config: dict[str, Any], path: str | Path, count: int, longest: bool = False
) -> Callable[[], Tensor]:
    """The loss of a model over the first `count` examples of a file, written as those it was trained on, or over the
    `longest` of them alone; of a text over its first `count` symbols."""
    model.eval()
    written = config.get("file", {})
    batch: Any

    def chosen(examples: Sequence[Any], length_of: Callable[[Any], int]) -> list[Any]:
        some = list(examples[:count])
        return [max(some, key=length_of)] if longest else some

    if isinstance(model, Tagger):
        sentences = TaggedFile(**written).read(path, plain=model.plain).sentences
        known = [one for one in sentences if all(tag in model.tags for tag in one.tags or ())]
        if not known:
            raise DataError("has no sentence with tags that the model knows", path)
        batch = model.encode(chosen(known, lambda one: len(one.tokens)))
    elif isinstance(model, Classifier):
        examples = [one for one in LabelledFile(**written).read(path) if known_labels(model, one)]
        if not examples:
            raise DataError("has no example with labels that the model knows", path)
        batch = model.encode(chosen(examples, lambda one: len(model.encode_content(one))))
    elif isinstance(model, KeytermExtractor):
        documents = DocumentFile(**written).read(path)
        batch = model.encode(chosen([one for one in documents if one.words], lambda one: len(one.words)))
    else:
        numbers: list[int] = []
        for text in pieces(path):
            numbers += model.tokenizer.encode(text)
            if len(numbers) > count:
                break
        if len(numbers) < 2:
            raise DataError("has less than two symbols", path)
        ids = torch.from_numpy(np.array(list(islice(numbers, count + 1)), np.int64))[None]
        batch = Slice(ids[:, :-1], ids[:, 1:])
    return lambda: model.loss(batch)
