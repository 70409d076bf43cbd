"""Where in a person's file an operation of a step stands: for the reason that a cell is not fused."""

from __future__ import annotations

import linecache
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import fx
from torch.utils._python_dispatch import TorchDispatchMode

from timeloom.scan.cell import Cell
from timeloom.scan.ops import shape

NOT_THEIRS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))

aten = torch.ops.aten
BECOMES: dict[Any, tuple[Any, ...]] = {  # what a tracer writes for some operations
    aten.permute: (aten.t, aten.transpose, aten.numpy_T),
    aten.mm: (aten.addmm, aten.matmul),
    aten.sum: (aten.mean,),
}


class Recorder(TorchDispatchMode):
    """Notes each operation with the shape of its result and the line that asked for it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, tuple[int, ...], str]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = tuple(result.shape) if isinstance(result, torch.Tensor) else ()
        self.seen.append((func.overloadpacket, sizes, line_of_frame(sys._getframe(1))))
        return result


def place_of(cell: Cell, node: fx.Node) -> str:
    """`file:line: text` of the operation that became `node` in a trace; "" where it cannot be told."""
    parameter = next(cell.parameters(), torch.empty(0))
    recorder, rows = Recorder(), shape(next(iter(node.graph.nodes)))[0]  # x comes first
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), recorder:
            cell.step(parameter.new_zeros(rows, cell.input_size), cell.initial_state(rows))
    except Exception:
        return ""
    packet = getattr(node.target, "overloadpacket", None)
    names = {packet, *BECOMES.get(packet, ())}
    found = [(sizes, line) for seen, sizes, line in recorder.seen if seen in names]
    exact = [line for sizes, line in found if sizes == shape(node)]
    return next(iter([*exact, *(line for _, line in found)]), "")


def place_of_error(error: BaseException) -> str:
    """`file:line: text` of the person's line that an error came through last; "" if none of theirs."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    lines = [text for frame in reversed(frames) if (text := line_of(frame))]
    return next(iter(lines), "")


def line_of_frame(frame: FrameType | None) -> str:
    """The innermost line that is a person's own."""
    while frame is not None:
        if text := line_of(frame):
            return text
        frame = frame.f_back
    return ""


def line_of(frame: FrameType) -> str:
    file, number = frame.f_code.co_filename, frame.f_lineno
    if file.startswith((*NOT_THEIRS, "<")):
        return ""
    return f"{file}:{number}: {linecache.getline(file, number).strip()}"
