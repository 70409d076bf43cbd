"""`timeloom explain-cell module:Class`: what the kernel of a cell does, or why it has none."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from timeloom.cli.parser import make_parser, parse
from timeloom.core import UsageError
from timeloom.scan import Cell, explain

TYPES = {"float32": torch.float32, "float64": torch.float64}


def run(argv: Sequence[str]) -> int:
    parser = make_parser(
        "explain-cell",
        "Say which parts of a cell's step run before the time loop, in it and after it, and what is saved for the way "
        "back: whether all of it is one native kernel, and if not, which operation of which line prevents it.",
    )
    parser.add_argument("cell", type=str, help="The cell's class: package.module:Class, or path/to/file.py:Class.")
    parser.add_argument("--input_size", type=int, default=8, help="What the cell's input_size is to be.")
    parser.add_argument("--hidden_size", type=int, default=16, help="What the cell's hidden_size is to be.")
    parser.add_argument("--dtype", type=str, default="float32", help="float32 or float64.")
    parser.add_argument("--source", action="store_true", help="Print the C++ of the kernel, too.")
    options = parse(parser, argv)
    if options.dtype not in TYPES:
        raise UsageError(f"--dtype is {options.dtype!r}, wanted one of {', '.join(TYPES)}")
    for size in ("input_size", "hidden_size"):
        if getattr(options, size) < 1:
            raise UsageError(f"--{size} is {getattr(options, size)}, wanted 1 or more")
    cell = build(options.cell, {"input_size": options.input_size, "hidden_size": options.hidden_size})
    print(explain(cell.to(TYPES[options.dtype]), TYPES[options.dtype], dump=options.source))
    return 0


def build(name: str, sizes: dict[str, int]) -> Cell:
    """The cell `name` built with those of `sizes` that it takes. Raises UsageError."""
    module_name, colon, class_name = name.rpartition(":")
    if not colon or not module_name or not class_name:
        raise UsageError(f"{name!r} names no class; wanted module:Class or file.py:Class, as timeloom.cells:LSTMCell")
    found = getattr(module_of(module_name), class_name, None)
    if found is None or not is_cell(found):
        there = [key for key, value in vars(module_of(module_name)).items() if is_cell(value)]
        what = f"{module_name} has no such class" if found is None else f"{class_name} is no cell"
        what += f"; its cells are {', '.join(there)}" if there else "; it has no cells"
        raise UsageError(f"{name}: {what}")
    taken = inspect.signature(found.__init__).parameters
    arguments: dict[str, Any] = {key: size for key, size in sizes.items() if key in taken}
    given = ", ".join(f"{key}={value}" for key, value in arguments.items())
    try:
        cell = found(**arguments)
    except Exception as error:
        raise UsageError(
            f"{name}: {class_name}({given}) failed: {type(error).__name__}: {error}\n"
            "  Give what else it takes a default, or name a subclass that does."
        ) from error
    if missing := [size for size in sizes if not hasattr(cell, size)]:
        raise UsageError(f"{name}: its __init__ does not set self.{missing[0]}, which every cell has")
    return cell


def is_cell(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Cell) and not inspect.isabstract(value)


def module_of(name: str) -> Any:
    """A module by its name, or a file as a module."""
    try:
        if not name.endswith(".py"):
            if os.getcwd() not in sys.path:
                sys.path.insert(0, os.getcwd())  # as `python -m` does, so that a person's own modules are found
            return importlib.import_module(name)
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"there is no file {name}")
        sys.path.insert(0, str(path.parent.resolve()))  # as Python does for a script, so that its neighbours are found
        own_name = f"cells_of_{path.stem}"  # a file named torch.py shall not stand for torch
        spec = importlib.util.spec_from_file_location(own_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[own_name] = module
        spec.loader.exec_module(module)
        return module
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
