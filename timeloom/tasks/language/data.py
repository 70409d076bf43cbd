"""From text files to numbers on disk: of any size, in flat memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timeloom.core import DataError
from timeloom.data import EOS, TextOptions, Tokenizer, learn_tokenizer, pieces
from timeloom.train import Watch

Numbers = NDArray[np.int32]
FEW = 1000  # symbols; of fewer than this none are held out


@dataclass(frozen=True)
class LanguageData:
    """The data.

    Args:
        train: Text to learn from.
        valid: Text that picks the best epoch. null: the last tenth of train is held out.
        test: Text to score the finished model on.
    """

    train: str
    valid: str | None = None
    test: str | None = None


def learn_symbols(data: LanguageData, options: TextOptions) -> tuple[Tokenizer, str]:
    """The tokenizer of the training text, and a hash of the texts that training will see."""
    seen = hashlib.sha256()
    try:
        tokenizer = learn_tokenizer(heard(data.train, seen), options)
    except DataError as error:
        raise error if error.path else DataError(str(error), data.train) from error
    if data.valid is not None:
        for _ in heard(data.valid, seen):
            pass
    fingerprint = seen.hexdigest()
    if data.test is not None:  # rather refused now than after the training
        for _ in heard(data.test, seen):
            pass
    return tokenizer, fingerprint


def heard(path: str, into: hashlib._Hash) -> Iterator[str]:
    """A file's text in pieces, hashed as it goes by. Raises DataError where there is none."""
    into.update(b"\0")
    empty = True
    for text in pieces(path):
        empty = False
        into.update(text.encode())
        yield text
    if empty:
        raise DataError("the file is empty; there is no text in it", path)


def numbers_of(path: str, tokenizer: Tokenizer, file: Path) -> Numbers:
    """The symbols of a text as numbers, mapped from `file`, which is written.

    A word's text begins behind an `<eos>`, so that its first word is predicted, too.
    """
    empty = True
    with open(file, "wb") as out:
        if EOS in tokenizer.vocabulary:
            np.array([tokenizer.vocabulary.ids[EOS]], np.int32).tofile(out)
        for text in pieces(path):
            found = np.array(tokenizer.encode(text), np.int32)
            empty = empty and not len(found)
            found.tofile(out)
    if empty:
        raise DataError("the file is empty; there is no text in it", path)
    return np.memmap(file, np.int32, mode="r")


def parts(data: LanguageData, tokenizer: Tokenizer, folder: Path, watch: Watch) -> tuple[Numbers, Numbers]:
    """The numbers for training and for validation; their files lie in `folder`."""
    train = numbers_of(data.train, tokenizer, folder / "train.numbers")
    if len(train) < 2:
        raise DataError("has one symbol only, and nothing that comes after it", data.train)
    if data.valid is not None:
        valid = numbers_of(data.valid, tokenizer, folder / "valid.numbers")
        if len(valid) < 2:
            raise DataError("has one symbol only, and nothing that comes after it", data.valid)
        return train, valid
    if len(train) < FEW:
        watch.note(
            f"no --valid, and {data.train} is too short to hold some of it out: its scores are on what it learned"
        )
        return train, train
    cut = len(train) - len(train) // 10
    watch.note(f"no --valid: the last {len(train) - cut} of the {len(train)} symbols in {data.train} are held out")
    return train[:cut], train[cut:]
