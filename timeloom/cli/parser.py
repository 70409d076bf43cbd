"""What all commands share: parsers with rich help, options as dataclasses, YAML files, clear refusals."""

from __future__ import annotations

import argparse
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import (
    ActionConfigFile,  # pyright: ignore[reportPrivateImportUsage]
    ArgumentParser,
    DefaultHelpFormatter,
    Namespace,
)
from rich_argparse import RichHelpFormatter
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from timeloom.core import DataError, ModelError, UsageError
from timeloom.core.files import reason
from timeloom.tasks.folder import LONGEST, OPTION_SECTIONS, run_options
from timeloom.tasks.weights import read_regular

Options = TypeVar("Options")
WORDS_OF_SWITCHES = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}


class Help(DefaultHelpFormatter, RichHelpFormatter):
    """jsonargparse's types and defaults in rich-argparse's colours."""

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any) -> str:
        # rich-argparse asks for the usage of no actions with a tuple, which jsonargparse takes for a dict.
        return super()._format_usage(usage, list(actions), groups, prefix)

    def _get_help_string(self, action: Any) -> str:
        # rich-argparse leaves jsonargparse's %(type)s unfilled.
        hint = getattr(action, "_typehint", None)
        name = getattr(hint, "__name__", str(hint)).replace("None", "null") if hint else "text"
        text = super()._get_help_string(action) or ""
        text = text.replace("type: %(type)s, ", "") if action.choices or "{" in str(action.metavar) else text
        text = text.replace("%(type)s", name)
        return text.replace("%(default)s", "null") if action.default is None else text


def make_parser(command: str, description: str) -> ArgumentParser:
    """A parser for `timeloom COMMAND`. Every command takes --debug and --no_limits, which `main` has
    already heard."""
    parser = ArgumentParser(
        prog=f"timeloom {command}",
        description=description,
        epilog="A switch is turned off by --no_NAME or --NAME off. Names may have hyphens for underscores.",
        formatter_class=Help,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="Show the traceback where something fails.")
    parser.add_argument(
        "--no_limits",
        action="store_true",
        help="Read lines, sentences and packed files of any size, and wait for pipes as long as it takes.",
    )
    return parser


def add_config(parser: ArgumentParser) -> None:
    """--config for a YAML file or the config.json of a saved model, and --print_config."""
    parser.add_argument(
        "--config",
        action=ActionConfigFile,
        help="YAML file with options, or the config.json of a saved model, whose run it repeats.",
    )


def parse(parser: ArgumentParser, argv: Sequence[str]) -> Namespace:
    """Parse, with hyphens or underscores in the names of options, and flags that need no `true`.

    Raises UsageError for what the parser does not take.
    """
    try:
        return parser.parse_args(tidy(parser, argv))
    except argparse.ArgumentError as error:
        raise UsageError(f"{plain(str(error), parser)}\n  See {parser.prog} --help") from error


def options_of(kind: type[Options], namespace: Namespace | Mapping[str, Any]) -> Options:
    """The dataclass of options out of everything that was parsed."""
    values = namespace if isinstance(namespace, Mapping) else vars(namespace)
    return kind(**{field.name: values[field.name] for field in fields(kind)})  # type: ignore[arg-type]


def option_names(parser: ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings if name.startswith("--")]


def tidy(parser: ArgumentParser, argv: Sequence[str]) -> list[str]:
    names = set(option_names(parser))
    switches = {f"--{action.dest}" for action in parser._actions if getattr(action, "_typehint", None) is bool}
    valued = {name for action in parser._actions if action.nargs != 0 for name in action.option_strings}
    given = list(argv)
    tidied: list[str] = []
    places: list[str] = []  # positional words; argparse wants them together, wherever the options stand
    while given:
        word = given.pop(0)
        if word == "--":
            return [*tidied, word, *places, *given]
        name, equals, value = word.partition("=")
        if name.startswith("--") and name not in names and name.replace("-", "_").replace("__", "--", 1) in names:
            name = "--" + name[2:].replace("-", "_")
        if name.startswith(("--no_", "--no-")):
            positive = "--" + name[5:].replace("-", "_")
            if positive in switches and not equals:
                tidied.append(f"{positive}=false")
                continue
        if name in switches:
            said = value if equals else given.pop(0) if given and given[0].lower() in WORDS_OF_SWITCHES else "true"
            tidied.append(f"{name}={WORDS_OF_SWITCHES.get(said.lower(), said)}")
        elif name == "--config" and name in names and (equals or given):
            tidied.append("--config=" + config_file(Path(value if equals else given.pop(0)), parser))
        elif not word.startswith("-") or word == "-":
            places.append(word)
        elif name in valued and not equals and given and not given[0].startswith("--") and name != "--print_config":
            tidied.append(f"{name}={given.pop(0)}")
        else:
            tidied.append(name + equals + value)
    return [*places, *tidied]


def config_file(path: Path, parser: ArgumentParser) -> str:
    """The options in a YAML file or a saved model's config.json, checked by name, as JSON text."""
    content = read_options(path)
    if not isinstance(content, dict):
        raise DataError("holds no options; wanted lines like `epochs: 20`", path)
    if "task" in content:  # a saved model's: its scores and vocabulary are no options
        content = run_options(sections_only(content, path))
    sections = {name for name in OPTION_SECTIONS if isinstance(content.get(name), dict)}
    content = {**run_options({name: content[name] for name in sections}), **without(content, sections)}
    known = {name.removeprefix("--") for name in option_names(parser)} - {"resume", "overwrite", "config", "help"}
    for name in content:
        if str(name) not in known:
            raise DataError(f"has an unknown option: {name}{did_you_mean(str(name), known)}", path)
    return json.dumps(content)


def read_options(path: Path) -> Any:
    """What a YAML or JSON file holds: texts, numbers, lists and objects, nothing else."""
    try:
        text = read_regular(path, most=LONGEST).decode("utf-8-sig")
        # A model's config.json may hold a large vocabulary, which JSON's reader takes a hundredth of the time for.
        return json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=OptionsLoader)
    except OSError as error:
        raise UsageError(f"--config: cannot read {path}: {reason(error)}") from error
    except ModelError as error:
        raise UsageError(f"--config: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 (byte {error.start})", path) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise DataError(f"is not YAML: {problem}", path, mark.line + 1 if mark else None) from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise DataError(f"holds what options cannot be: {error}", path) from error


class OptionsLoader(yaml.SafeLoader):
    """YAML without what options have no use for: anchors, which can make a gigabyte of ten lines, and kinds of values
    that JSON has not. What looks like a date is text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ComposerError(
                None, None, "anchors (*name) are not read; write the value out", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def refuse(self, node: Any) -> Any:
        problem = f"{node.tag.rpartition(':')[2]} is no kind of value that options have"
        raise ConstructorError(None, None, problem, node.start_mark)


OptionsLoader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for sign, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for kind in ("binary", "timestamp", "set", "omap", "pairs"):
    OptionsLoader.add_constructor(f"tag:yaml.org,2002:{kind}", OptionsLoader.refuse)


def sections_only(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The sections of a saved model's config that hold options."""
    found = {name: content[name] for name in OPTION_SECTIONS if name in content}
    if strange := [name for name, section in found.items() if not isinstance(section, dict)]:
        raise DataError(f"has no options under {strange[0]!r}, as the config.json of a model has", path)
    return found


def without(content: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def plain(message: str, parser: ArgumentParser) -> str:
    """The parser's refusal in the words of a user."""
    found = re.match(r'Parser key "(\w+)":\s*(.*)', message, re.DOTALL)
    if found:
        name, rest = found.groups()
        rest = re.sub(r"Expected a <class '(\w+)'>\. Got value: ", r"wanted \1, got ", " ".join(rest.split()))
        rest = re.sub(r"Expected a typing\.Literal\[(.*?)\]\. Got value: ", r"wanted one of \1, got ", rest)
        return f"--{name}: {rest}"
    if found := re.match(r"the following arguments are required: (.*)", message):
        named = [name if f"--{name}" not in option_names(parser) else f"--{name}" for name in found[1].split(", ")]
        return f"the following arguments are required: {', '.join(named)}"
    found = re.match(r"unrecognized arguments: (\S+)", message)
    if found:
        return message + did_you_mean(found[1].partition("=")[0], set(option_names(parser)))
    return message


def did_you_mean(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name.replace("-", "_") if not name.startswith("-") else name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
