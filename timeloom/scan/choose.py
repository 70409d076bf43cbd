"""Which way a cell runs: its kernel where there is one, else the plain loop and one warning that says why."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch._C._functorch import peek_interpreter_stack  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from timeloom.core.warn import warn_caller
from timeloom.scan.allowed import NotFusable
from timeloom.scan.build import CannotBuild
from timeloom.scan.cell import Cell
from timeloom.scan.fused import Fused
from timeloom.scan.readable import unreadable, why
from timeloom.scan.rehearse import PACKAGE, Rehearsal, differs, elsewhere, rehearse
from timeloom.scan.trace import NotTraceable
from timeloom.scan.watch import Unwatchable, Watch, before_a_look, likeness
from timeloom.scan.whereabouts import place_of

PLAIN: ContextVar[bool] = ContextVar("plain", default=False)
_alike: OrderedDict[Any, Fused | str] = OrderedDict()  # what cells that are alike share, the last used last
ALIKE = 128
_making = threading.Lock()  # the tracer is not made for two threads
_rehearsals: OrderedDict[Any, Rehearsal] = OrderedDict()  # likewise
_kernels: WeakKeyDictionary[Cell, list[Known]] = WeakKeyDictionary()
_looks: WeakKeyDictionary[Cell, int] = WeakKeyDictionary()  # how often a cell was looked at anew
KNOWN = 4  # ways that a cell has been, as in training and in evaluation, of which the kernels are kept
LOOKS = 64
ROWS = 25  # sequences of the step that is looked at
FUSED_TYPES = (torch.float32, torch.float64)
_told: set[tuple[type, str]] = set()


@contextlib.contextmanager
def plain_loop() -> Iterator[None]:
    """Inside, every scan takes the plain loop: to compare with, or to debug a step in."""
    token = PLAIN.set(True)
    try:
        yield
    finally:
        PLAIN.reset(token)


def kernel_for(
    cell: Cell, x: Tensor, state: Any = (), all_states: bool = False, others: Iterable[Tensor] = ()
) -> tuple[Fused, Watch] | str:
    """The kernel that `scan` may use for this call, and the parameters to call it with; or why the loop is plain.

    `others` stand in the place of parameters. An empty reason needs no warning.
    """
    if x.numel() == 0 or must_be_plain():
        return ""
    if other := [field for field in state if field.dtype != x.dtype or field.device != x.device]:
        return f"its state is of {other[0].dtype} on {other[0].device}, x of {x.dtype} on {x.device}"
    if not x.is_cpu or x.dtype not in FUSED_TYPES or torch.is_autocast_enabled("cpu"):
        now = "under autocast" if x.is_cpu and x.dtype in FUSED_TYPES else f"of {x.dtype} on {x.device.type}"
        return f"a kernel takes float32 or float64 on the CPU, and this is {now}"
    if (strange := unreadable((x, *state, *others))) is not None:
        return why(strange, "x" if strange is x else "what is given for a state or a parameter")
    known = known_of(cell)
    if isinstance(known, str):
        return known
    watch, kernels = known.watch, known.kernels
    found = kernels.get((x.dtype, all_states))
    if found is None:
        with _making:
            found = kernels.get((x.dtype, all_states)) or kernel_or_reason(cell, x.dtype, all_states, known)
            kernels[x.dtype, all_states] = found
    if isinstance(found, str):
        return found
    rows = x.shape[-2]
    if rows not in known.sizes:
        known.sizes[rows] = other_at_size(cell, rows, x.dtype, known.seen)
    freed = "" if all(map(Tensor.data_ptr, watch.tensors)) else strange_parameter(watch.tensors)
    return known.sizes[rows] or freed or (found, watch)


def strange_parameter(tensors: Iterable[Tensor]) -> str:
    """Why a parameter or buffer cannot be read by a kernel; "" if all can."""
    strange = unreadable(tensors)
    return "" if strange is None else why(strange, "a parameter or buffer of it")


def tell(cell: Cell, reason: str) -> None:
    """Warn, once for each class and reason, that a cell ran in the plain loop."""
    if reason and (type(cell), reason) not in _told:
        _told.add((type(cell), reason))
        warn_caller(f"{cell.called} runs in the plain loop, which is slower: {reason}")


@dataclass
class Known:
    """A cell as it was when its kernels were made, and they."""

    watch: Watch
    seen: Rehearsal
    kernels: dict[Any, Fused | str] = field(default_factory=dict)
    sizes: dict[int, str] = field(default_factory=dict)  # of batches, with why a kernel does not do them; "" if it does


def known_of(cell: Cell) -> Known | str:
    """What is known of the cell as it is now, or why it cannot be watched."""
    ways = _kernels.setdefault(cell, [])
    if ways and ways[0].watch.holds():
        return ways[0]
    with _making:
        for known in ways[1:]:
            if known.watch.holds():
                ways.remove(known)
                ways.insert(0, known)
                return known
        if strange := strange_parameter([*cell.parameters(), *cell.buffers()]):
            return strange
        _looks[cell] = _looks.get(cell, 0) + 1
        if _looks[cell] > LOOKS:
            changed = ways[0].watch.changed() if ways else "what it reads"
            return f"{changed} changes from call to call; make it a buffer, or give it by x or the state"
        before = before_a_look(cell) if likeness(cell) is None else None
        try:
            seen = rehearsal_of(cell)
            if before and (wrote := before.changed()):
                before.restore()
                seen.refused = f"its step writes to {wrote}, and in a kernel Python code runs but once"
            known = Known(Watch(cell, seen), seen)
        except Unwatchable as error:
            return str(error)
        finally:
            if before:
                before.restore()
        ways.insert(0, known)
        del ways[KNOWN:]
        return known


def rehearsal_of(cell: Cell) -> Rehearsal:
    """One plain step looked at; once for cells that are alike."""
    like = likeness(cell)
    found = None if like is None else _rehearsals.get(like)
    if found is None:
        dtype = next((p.dtype for p in cell.parameters() if p.is_floating_point()), torch.get_default_dtype())
        found = rehearse(cell, ROWS, dtype)
    if like is not None:
        _rehearsals[like] = found
        if len(_rehearsals) > ALIKE:
            _rehearsals.popitem(last=False)
    return found


def other_at_size(cell: Cell, rows: int, dtype: torch.dtype, seen: Rehearsal) -> str:
    """Why a kernel does not do batches of this size: the step does other things for them; "" if it does the same."""
    if not any(not home.startswith(str(PACKAGE)) for home in {code.co_filename for code in seen.codes}):
        return ""  # our own cells do not look at it
    with _making:
        found = differs(rehearse(cell, rows, dtype), seen)
    return found and f"its step does other things for {rows} sequences than for {seen.rows} ({found})"


def kernel_or_reason(cell: Cell, dtype: torch.dtype, all_states: bool, known: Known) -> Fused | str:
    """The cell's kernel, built now if need be, or why there is none."""
    watch = known.watch
    if watch.hooked or known.seen.refused:
        return watch.hooked or known.seen.refused
    if any(tensor.requires_grad for tensor in cell.buffers()):
        return "it has a buffer that wants a gradient; make it a parameter, and give other numbers by `parameters=`"
    if other := [tensor for tensor in watch.tensors if tensor.dtype != dtype or not tensor.is_cpu]:
        return f"it has a parameter or buffer of {other[0].dtype} on {other[0].device} beside {dtype} on cpu"
    fused = fused_or_reason(cell, dtype, all_states)
    if wrote := watch.changed():
        watch.restore()
        return f"its step writes to {wrote}, and in a kernel Python code runs but once"
    if isinstance(fused, Fused):
        try:
            _ = fused.library
        except CannotBuild as error:
            return str(error)
    return fused


def fused_or_reason(cell: Cell, dtype: torch.dtype, all_states: bool = False) -> Fused | str:
    """The cell's kernel, not built yet, or why it has none. Cells that are alike are traced once."""
    like = likeness(cell)
    if like is None:
        return traced_or_reason(cell, dtype, all_states)
    key = (like, dtype, all_states)
    found = _alike.pop(key, None) or traced_or_reason(cell, dtype, all_states)
    _alike[key] = found
    if len(_alike) > ALIKE:
        _alike.popitem(last=False)
    return found


def traced_or_reason(cell: Cell, dtype: torch.dtype, all_states: bool) -> Fused | str:
    """A new kernel, or why there is none: the operation, and the line of the person's file."""
    try:
        return elsewhere(Fused, cell, dtype, all_states)
    except NotTraceable as error:
        return str(error)
    except NotFusable as error:
        at = place_of(cell, error.node)
        return str(error) + (f"\n  {at}" if at else "")


def must_be_plain() -> bool:
    """Whether the plain loop is asked for, or a tracer or functional transform looks on, which must see the steps."""
    return (
        PLAIN.get()
        or forward_ad._current_level >= 0
        or _get_current_dispatch_mode() is not None
        or peek_interpreter_stack() is not None
    )
