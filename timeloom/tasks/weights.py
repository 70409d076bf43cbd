"""The header of a model's weights, compared with the model before any of it is read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timeloom.core import ModelError
from timeloom.core.files import reason

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = ("F64", "F32", "F16", "BF16")
OTHERS = {torch.int64: "I64", torch.int32: "I32", torch.bool: "BOOL", torch.uint8: "U8"}
LARGEST = 100_000_000  # bytes of a header, as the format has it
Header = dict[str, tuple[str, tuple[int, ...]]]
"""Type and shape of each tensor."""


def read_regular(path: Path, most: int | None = None, at_most: int | None = None) -> bytes:
    """The content of a regular file, or its first `at_most` bytes. Raises ModelError for anything else, such as a pipe,
    and for more than `most` bytes; OSError where it cannot be read."""
    # A pipe would wait for somebody to write.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path} is no regular file")
        if most is not None and status.st_size > most:
            raise ModelError(f"{path} has {status.st_size} bytes, more than {most}")
        return file.read() if at_most is None else file.read(at_most)


def read_header(path: Path) -> Header:
    """Type and shape of every tensor in a safetensors file, checked against its size. Raises ModelError."""
    try:
        length = int.from_bytes(read_regular(path, at_most=8), "little")
        size = path.stat().st_size
        wanted(8 + length <= size and length <= LARGEST, "cannot be read: its header is longer than the file")
        content = json.loads(read_regular(path, at_most=8 + length)[8:])
    except OSError as error:
        raise ModelError(f"cannot read {path.name}: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}") from error
    wanted(isinstance(content, dict), "cannot be read: its header is no object")
    content.pop("__metadata__", None)
    found = {name: entry_of(name, entry) for name, entry in content.items()}
    held = sum(SIZES[kind] * prod(shape) for kind, shape in found.values())
    wanted(
        8 + length + held == size,
        f"cannot be read: its header speaks of {held} bytes, and {size - 8 - length} are there",
    )
    return found


def entry_of(name: str, entry: Any) -> tuple[str, tuple[int, ...]]:
    kind, shape = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (None, None)
    wanted(
        isinstance(shape, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in shape),
        f"cannot be read: {name} has no shape",
    )
    wanted(isinstance(kind, str) and kind in SIZES, f"has {name} in {kind}, wanted one of {', '.join(SIZES)}")
    return kind, tuple(shape)  # pyright: ignore[reportReturnType, reportArgumentType]


def check_layers(options: Mapping[str, Any], header: Header) -> None:
    """A model has more tensors than layers: a million layers are not worth building to find out."""
    for name in ("num_layers", "members"):
        wanted(
            options.get(name, 1) <= len(header), f"has {len(header)} tensors, too few for {name} {options.get(name)}"
        )


def check_weights(skeleton: Mapping[str, Tensor], header: Header) -> None:
    """Raise ModelError unless the header has the tensors of a model, which may be on the meta device."""
    for name in skeleton:
        wanted(name in header, f"has no {name}")
    for name, (kind, shape) in header.items():
        wanted(name in skeleton, f"has {name}, which the model has not")
        tensor = skeleton[name]
        wanted(tuple(tensor.shape) == shape, f"has {name} with the shape {shape}, wanted {tuple(tensor.shape)}")
        kinds = FLOATS if tensor.is_floating_point() else (OTHERS[tensor.dtype],)
        wanted(kind in kinds, f"has {name} in {kind}, wanted {' or '.join(kinds)}")
    floats = {kind for kind, _ in header.values() if kind in FLOATS}
    wanted(len(floats) < 2, f"has weights in {' and '.join(sorted(floats))}, wanted one type")


def wanted(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ModelError(f"model.safetensors {otherwise}")
