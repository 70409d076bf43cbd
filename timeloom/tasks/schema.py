"""What `config.json` of each task must look like, checked before anything is built of it."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from timeloom.core import ModelError
from timeloom.data import PAD, UNKNOWN, Level, Splitting, TextOptions, WindowOptions
from timeloom.tasks.classify import ClassifierOptions, ClassifyData, LabelledFile
from timeloom.tasks.keyterms import DocumentFile, KeytermData, KeytermOptions
from timeloom.tasks.language import LanguageData, LanguageOptions
from timeloom.tasks.tagging import TaggedFile, TaggerOptions, TaggingData
from timeloom.train import TrainingOptions

Check = Callable[[Any, str], None]

# By task the options of each section. Every section but the model's may be missing: the hub's mixin writes none.
SECTIONS: dict[str, dict[str, type]] = {
    "tag": {"model": TaggerOptions, "data": TaggingData, "file": TaggedFile},
    "classify": {"model": ClassifierOptions, "data": ClassifyData, "file": LabelledFile, "text": TextOptions},
    "keyterms": {"model": KeytermOptions, "data": KeytermData, "file": DocumentFile},
    "language": {"model": LanguageOptions, "data": LanguageData, "text": TextOptions, "windows": WindowOptions},
}


def check_config(config: Mapping[str, Any], folder: Path) -> None:
    """Raise ModelError where a part of a config is missing or is not what it should be."""
    task = config["task"]
    if task not in SECTIONS:
        raise ModelError(f"{folder} is a model for the task {task!r}; this version knows: {', '.join(SECTIONS)}")
    try:
        for name, kind in {**SECTIONS[task], "training": TrainingOptions}.items():
            if name in config:
                check_section(config[name], name, kind)
        for name, check in {"model": is_there, **PARTS[task]}.items():
            wanted(name in config, f'there is no "{name}"')
            check(config[name], name)
        for name, check in LATER.get(task, {}).items():
            if name in config:
                check(config[name], name)
    except ModelError as error:
        raise ModelError(f"{folder} is a damaged model, or one of another version of Timeloom: {error}") from None


def check_section(section: Any, name: str, kind: type) -> None:
    """A section is an object with the options of a dataclass; those that have no default must be there."""
    wanted(isinstance(section, dict), f'"{name}" is {short(section)}, wanted an object with options')
    hints = get_type_hints(kind)
    assert is_dataclass(kind)
    known = {field.name: field for field in fields(kind)}
    for option, value in section.items():
        wanted(option in known, f'"{name}" has the option {option!r}, which this version has not')
        wanted(fits(value, hints[option]), f'"{option}" of "{name}" is {short(value)}, wanted {called(hints[option])}')
    for option, field in known.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        wanted(not needed or option in section, f'"{name}" has no {option!r}')


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is of the type that an annotation names."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inside)
    if origin is Literal:
        return isinstance(value, str) and value in inside
    if origin is list:
        return isinstance(value, list) and all(fits(one, inside[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(one, inside[1]) for one in value.values())
    if hint in (None, type(None)):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62
    return isinstance(value, hint)


def called(hint: Any) -> str:
    return getattr(hint, "__name__", "") if isinstance(hint, type) else str(hint).replace("typing.", "")


def short(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    return text if len(text) < 60 else text[:57] + "..."


def wanted(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ModelError(otherwise)


def is_there(value: Any, name: str) -> None:
    """Looked at as a section."""


def texts(value: Any, name: str) -> None:
    """A list of different strings."""
    wanted(fits(value, list[str]), f'"{name}" is {short(value)}, wanted a list of strings')
    wanted(len(set(value)) == len(value), f'"{name}" has a string twice')


def some_texts(value: Any, name: str) -> None:
    texts(value, name)
    wanted(bool(value), f'"{name}" is empty')


def symbols(value: Any, name: str) -> None:
    """A vocabulary with a padding and an unknown symbol."""
    texts(value, name)
    wanted(value[:1] == [PAD] and UNKNOWN in value, f'"{name}" does not begin with {PAD}, or has no {UNKNOWN}')


def tagger_vocabulary(value: Any, name: str) -> None:
    wanted(isinstance(value, dict), f'"{name}" is {short(value)}, wanted an object')
    for part, check in (("words", symbols), ("characters", symbols), ("tags", some_texts)):
        wanted(part in value, f'"{name}" has no "{part}"')
        check(value[part], part)
    if "labels" in value:
        texts(value["labels"], "labels")


def letters(value: Any, name: str) -> None:
    """A vocabulary of characters, or nothing where words are not spelt."""
    if value != []:
        symbols(value, name)


def features(value: Any, name: str) -> None:
    wanted(isinstance(value, list), f'"{name}" is {short(value)}, wanted a list')
    for each in value:
        symbols(each, name)


def splitting(value: Any, name: str) -> None:
    """What `Splitting` is made of, or null."""
    if value is not None:
        check_section(value, name, Splitting)


def tokenizer(value: Any, name: str) -> None:
    """What `Tokenizer.config` writes."""
    kinds = {"level": Level, "symbols": list[str], "merges": str, "lowercase": bool, "punctuation": bool}
    wanted(isinstance(value, dict), f'"{name}" is {short(value)}, wanted an object')
    for part, kind in kinds.items():
        wanted(part in value and fits(value[part], kind), f'"{part}" of "{name}" is missing or no {called(kind)}')
    if value["level"] != "bpe":
        texts(value["symbols"], "symbols")
        wanted(UNKNOWN in value["symbols"], f'the symbols of "{name}" have no {UNKNOWN}')


def tokenizer_or_none(value: Any, name: str) -> None:
    if value is not None:
        tokenizer(value, name)


def of_type(kind: type) -> Check:
    def check(value: Any, name: str) -> None:
        wanted(fits(value, kind), f'"{name}" is {short(value)}, wanted {called(kind)}')

    return check


# By task the parts of a config that are no options.
PARTS: dict[str, dict[str, Check]] = {
    "tag": {"vocabulary": tagger_vocabulary, "features": features},
    "classify": {
        "labels": some_texts,
        "tokenizer": tokenizer_or_none,
        "features": of_type(int),
        "several": of_type(bool),
        "letters": letters,
        "ngrams": of_type(int),
    },
    "keyterms": {"vocabulary": symbols},
    "language": {"tokenizer": tokenizer},
}

# Parts that models of earlier versions do not have.
LATER: dict[str, dict[str, Check]] = {"tag": {"splitting": splitting, "plain": of_type(bool)}}
