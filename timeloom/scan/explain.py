"""What becomes of a cell: which parts of its step run before the time loop, in it, and after it."""

from __future__ import annotations

from collections.abc import Iterable
from operator import getitem

import torch
from torch import fx

from timeloom.scan.build import CannotBuild
from timeloom.scan.cell import Cell
from timeloom.scan.choose import fused_or_reason
from timeloom.scan.fused import Fused
from timeloom.scan.ops import RESHAPES, SLICES, aten, shape
from timeloom.scan.plan import Plan, is_list

VIEWS = {aten.permute.default, aten.t.default, getitem, *RESHAPES, *SLICES}  # which move no number


def explain(cell: Cell, dtype: torch.dtype = torch.float32, *, dump: bool = False) -> str:
    """Say in words what the kernel of `cell` does, or why it has none; with `dump`, the C++ of its loops after it.

    The step is run once, so that its mistakes show, and the kernel is built. Raises ShapeError.
    """
    name = type(cell).__name__
    with torch.no_grad():
        cell(torch.zeros(2, cell.input_size, dtype=dtype))
    fused = fused_or_reason(cell, dtype)
    if isinstance(fused, Fused) and not dump:
        try:
            _ = fused.library
        except CannotBuild as error:
            fused = str(error)
    if isinstance(fused, str):
        return f"{name} is not fused and runs in the plain loop: {fused}"
    words = Words(fused.plan, fused.fields)
    p = fused.plan
    lines = [f"{name} is fused: one native loop forward, one back."]
    for title, nodes in (
        ("once, from the parameters alone", [node for node in p.fixed if node.target not in VIEWS]),
        ("before the loop, over all steps at once", p.before),
        ("in the loop", p.forward),
        ("after the loop, over all steps at once", p.read_out),
        ("saved for the way back", p.saved),
        ("before the way back, over all steps at once", p.before_backward),
        ("in the loop back", [*p.backward, *p.totals]),
        ("after the loop back, over all steps at once", p.after),
    ):
        rows = words.rows(nodes, values_only=title.startswith("saved"))
        lines += ["", f"{title}:", *(rows or ["  nothing"])]
    t = p.trace
    gradients = {"x": t.grad_x, **dict(zip(fused.fields, t.grad_initial, strict=True)), **t.grad_parameters}
    lines += ["", "gradients:", *(f"  ∂{n.removeprefix('cell.')} = {words.word(g)}" for n, g in gradients.items())]
    return "\n".join(lines) + (f"\n\n{fused.source}" if dump else "")


class Words:
    """Nodes of a plan in the names of the cell's own parameters and fields."""

    def __init__(self, plan: Plan, fields: tuple[str, ...]):
        t = plan.trace
        self.names = {t.x: "x", t.grad_y: "∂y"}
        self.names |= {node: name.removeprefix("cell.") for name, node in t.fixed.items()}
        self.names |= dict(zip(t.state, fields, strict=True))
        self.names |= {node: f"∂{field}'" for node, field in zip(t.grad_state, fields, strict=True)}

    def rows(self, nodes: Iterable[fx.Node], values_only: bool) -> list[str]:
        rows = []
        for node in nodes:
            size = f"({', '.join(['B', *map(str, shape(node)[1:])])})" if shape(node) else ""
            if values_only:
                rows.append(f"  {node} {size}")
            elif not isinstance(node.meta.get("val"), list | tuple):
                operation = "part" if node.target is getitem else str(node.target).split(".")[1]
                rows.append(f"  {node} = {operation}({', '.join(map(self.word, node.args))})")
        return rows

    def word(self, arg: object) -> str:
        if isinstance(arg, fx.Node):
            whole = arg.args[0] if is_list(arg) else arg  # parts are named by what they are parts of
            return self.names.get(whole, str(whole))  # type: ignore[arg-type]
        if isinstance(arg, list | tuple):
            return f"[{', '.join(map(self.word, arg))}]"
        return str(arg)
