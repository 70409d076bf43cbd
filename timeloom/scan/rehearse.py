"""One plain step, looked at while it runs: which Python it ran, what it asked for, and which operations it did."""

from __future__ import annotations

import gc
import os
import random
import sys
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from timeloom.scan.cell import Cell, checked_step
from timeloom.scan.twin import attribute_written, tensor_put, twin
from timeloom.scan.whereabouts import line_of_frame

Result = TypeVar("Result")
PACKAGE = Path(__file__).parents[1]
NOT_THEIRS = tuple(map(str, (Path(torch.__file__).parent, PACKAGE / "scan", PACKAGE / "core")))
LIBRARY, SITE = sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")
BY_CHANCE = {"time", "secrets", "uuid", "_datetime", "datetime", "select", "socket", "_socket"}
FILES_OF_CHANCE = tuple(str(Path(LIBRARY, f"{name}.py")) for name in ("secrets", "uuid", "datetime"))
OF_ENVIRONMENT = (os.__file__, "<frozen os>")
ASKED = {  # what is not the same for a kernel and for the plain loop, or not at every call
    "is_grad_enabled": "whether gradients are wanted",
    "is_inference_mode_enabled": "whether inference mode is on",
    "is_autocast_enabled": "whether autocast is on",
    "get_default_dtype": "the default type",
    "get_num_threads": "the number of threads",
    "initial_seed": "the seed",
    "data_ptr": "where a tensor lies",
    "is_contiguous": "how a tensor lies in memory",
    "stride": "how a tensor lies in memory",
    "storage_offset": "how a tensor lies in memory",
    "tolist": "the numbers in a tensor",
    "numpy": "the numbers in a tensor",
    "item": "the number in a tensor",
}
ATTRIBUTES = {
    "requires_grad": "whether a gradient is wanted",
    "is_leaf": "the history of a tensor",
    "grad_fn": "the history of a tensor",
}
ASKS_FOR_A_NUMBER = (
    "its step asks for the number in a tensor (by if, while, int, float or item); torch.where keeps it in tensors"
)
aten = torch.ops.aten
MOVES_NOTHING = {
    *(aten.view, aten._unsafe_view, aten.reshape, aten.expand, aten.clone, aten.alias, aten.t, aten.transpose),
    *(aten.permute, aten.unsqueeze, aten.squeeze, aten.contiguous),
}


@dataclass
class Rehearsal:
    """What one plain step did."""

    rows: int
    codes: set[CodeType] = field(default_factory=set)  # the functions that ran, but for torch's and the scan's
    reads_environment: bool = False
    record: list[tuple[Any, ...]] = field(default_factory=list)
    refused: str = ""  # why no kernel can do it; the first reason

    def refuse(self, reason: str, frame: FrameType | None) -> None:
        at = line_of_frame(frame)
        self.refused = self.refused or reason + (f"\n  {at}" if at else "")

    @property
    def names(self) -> set[str]:
        """Every name of an attribute or a global variable in the functions that ran."""
        return {name for code in self.codes for name in names_in(code)}


def names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from names_in(part)


def rehearse(cell: Cell, rows: int, dtype: torch.dtype) -> Rehearsal:
    """Run one step of a twin of `cell` for `rows` sequences, and look on. Raises what the step raises.

    It runs in a thread of its own, where torch is in no mode that a caller has set: what is noted must be the same in
    and out of inference mode, and inside an operator of torch.compile.
    """
    seen = elsewhere(rehearse_here, cell, rows, dtype)
    if any(code.co_name == "<module>" for code in seen.codes):  # something was imported on the way
        seen = elsewhere(rehearse_here, cell, rows, dtype)
    return seen


def elsewhere(work: Callable[..., Result], *args: Any) -> Result:
    """`work` in a thread of its own, while no garbage is collected: what collectors call is none of the step's."""
    collects = gc.isenabled()
    gc.disable()
    try:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work, *args).result()
    finally:
        if collects:
            gc.enable()


def rehearse_here(cell: Cell, rows: int, dtype: torch.dtype) -> Rehearsal:
    original = twin(cell)
    for part in original.modules():  # what the step writes into a buffer shall not stay there
        part._buffers.update({key: b if b is None else b.detach().clone() for key, b in part._buffers.items()})
    cell = twin(original)
    seen = Rehearsal(rows)
    x = torch.zeros(rows, cell.input_size, dtype=dtype)
    state = cell.State(*(part.detach().clone() for part in cell.initial_state(rows)))
    tensors = [x, *state, *cell.parameters(), *cell.buffers()]
    versions = [tensor._version for tensor in tensors if not tensor.is_inference()]
    luck = random.getstate()
    inference = any(tensor.is_inference() for tensor in tensors)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(inference), Recorder(seen), listening(seen):
        checked_step(cell, x, state)
    if wrote := attribute_written(cell, original) or tensor_put(cell, original):
        seen.refuse(f"its step writes to {wrote}, and in a kernel Python code runs but once", None)
    if random.getstate() != luck:
        random.setstate(luck)
        seen.refuse("its step asks for chance (Python's random numbers), which is another at every step", None)
    if [tensor._version for tensor in tensors if not tensor.is_inference()] != versions:
        seen.refuse("its step writes into x, the state, a parameter or a buffer, which a kernel does not", None)
    for name, what in ATTRIBUTES.items():
        if name in seen.names:
            seen.refuse(f"its step asks for {what} ({name}), which a kernel cannot know", None)
    return seen


def differs(one: Rehearsal, other: Rehearsal) -> str:
    """What a step does otherwise for another size of batch; "" if nothing."""
    for mine, theirs in zip_longest(one.record, other.record):
        if mine is None or theirs is None or len(mine) != len(theirs):
            return str(next(note[0] for note in (mine, theirs) if note is not None))
        sizes = ((one.rows, other.rows),)
        if any(a != b and (a, b) not in sizes for a, b in zip(mine, theirs, strict=True)):
            return str(mine[0])
    return ""


class Recorder(TorchDispatchMode):
    """Notes each operation, its numbers, and whether it is differentiated."""

    def __init__(self, seen: Rehearsal):
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        frame = sys._getframe(1)
        if func is aten._local_scalar_dense.default or torch.Tag.data_dependent_output in func.tags:
            self.seen.refuse(ASKS_FOR_A_NUMBER, frame)
        if torch.Tag.nondeterministic_seeded in func.tags:
            reason = f"its step draws random numbers ({func}); draw them before the scan and give them with x"
            self.seen.refuse(reason, frame)
        if func.overloadpacket not in MOVES_NOTHING:
            numbers = flat_numbers((args, kwargs or {}))
            self.seen.record.append((func, torch.is_grad_enabled(), *numbers))
        return func(*args, **(kwargs or {}))


def flat_numbers(value: Any) -> list[Any]:
    """The numbers, types and texts among the arguments of an operation, tensors by their shapes."""
    if isinstance(value, Tensor):
        return ["tensor", *value.shape]
    if isinstance(value, list | tuple):
        return [part for item in value for part in flat_numbers(item)]
    if isinstance(value, dict):
        return [part for key in sorted(value) for part in (key, *flat_numbers(value[key]))]
    return [str(value) if isinstance(value, float) and value != value else value]


@contextmanager
def listening(seen: Rehearsal) -> Iterator[None]:
    """Note the Python functions that run, and refuse what asks for chance or for the state of torch."""

    def notice(frame: FrameType, event: str, arg: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call":
            if file.startswith(FILES_OF_CHANCE):
                seen.refuse("its step asks for chance or the time, which is another at every step", frame.f_back)
            if file in OF_ENVIRONMENT:
                seen.reads_environment = True
            if is_theirs(file):
                seen.codes.add(frame.f_code)
        elif event == "c_call" and is_theirs(file):
            home = getattr(arg, "__module__", None) or type(getattr(arg, "__self__", None)).__module__
            name = getattr(arg, "__name__", "")
            if home.partition(".")[0] in BY_CHANCE or home.startswith("numpy.random"):
                seen.refuse(f"its step asks for chance or the time ({home}.{name}), another at every step", frame)
            of_torch = home.startswith("torch") or isinstance(getattr(arg, "__self__", None), Tensor)
            if name in ASKED and of_torch:
                seen.refuse(f"its step asks for {ASKED[name]} ({name}), which a kernel cannot know", frame)

    before = sys.getprofile()
    sys.setprofile(notice)
    try:
        yield
    finally:
        sys.setprofile(before)


def is_theirs(file: str) -> bool:
    """Whether a file is neither torch's, nor Python's, nor the scan's own."""
    if file.startswith(NOT_THEIRS) or file.startswith("<frozen"):
        return False
    return not file.startswith(LIBRARY) or file.startswith(SITE) or "-packages" in file
