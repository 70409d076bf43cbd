"""What the tracer leaves behind, made simpler: copies that change nothing, numbers, masks, sums of squares."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from timeloom.scan import ops
from timeloom.scan.ops import aten, is_mask, shape

LIKE = {aten.full_like.default: None, aten.zeros_like.default: 0, aten.ones_like.default: 1}


def simplify(graph: fx.Graph) -> None:
    """Fold what the tracer leaves behind: copies that change nothing, and transposes of transposes."""
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        if (
            node.target in (aten.alias.default, aten.clone.default, aten.detach.default)
            or (node.target is aten.expand.default and same_shape(node, node.args[0]))
            or (node.target is aten.view.default and same_shape(node, node.args[0]))
        ):
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.permute.default:
            inner = node.args[0]
            if inner.op == "call_function" and inner.target is aten.permute.default and len(inner.args[1]) == 2:
                node.replace_all_uses_with(inner.args[0])
        elif node.target in LIKE:
            number = node.args[1] if node.target is aten.full_like.default else LIKE[node.target]
            with graph.inserting_before(node):
                kind = {"dtype": node.meta["val"].dtype}
                new = graph.call_function(aten.full.default, (list(shape(node)), number), kind)
            new.meta["val"] = node.meta["val"]
            node.replace_all_uses_with(new)
        elif node.target in (aten.where.self, aten.sum.dim_IntList):
            count_in_real_numbers(graph, node)
        elif node.target is aten.mul.Tensor and is_mask(node):  # not a product of numbers
            node.target = aten.logical_and.default
        elif node.target is aten.mul.Tensor and 1 in node.args:
            other = node.args[0] if node.args[1] == 1 else node.args[1]
            if isinstance(other, fx.Node) and same_shape(node, other):
                node.replace_all_uses_with(other)
    spell_out_variances(graph)
    share_equal_nodes(graph)
    graph.eliminate_dead_code()


def count_in_real_numbers(graph: fx.Graph, node: fx.Node) -> None:
    """where(mask, 1, 0), and the sum of a mask, in the type of the step: derivatives have them in another."""
    dtype = next(iter(graph.nodes)).meta["val"].dtype
    if node.meta["val"].dtype in (dtype, torch.bool):
        return
    with graph.inserting_before(node):
        for arg in node.all_input_nodes:
            if arg.target in ops.CONSTANTS or (is_mask(arg) and node.target is aten.sum.dim_IntList):
                new = graph.call_function(aten._to_copy.default, (arg,), {"dtype": dtype})
                new.meta["val"] = arg.meta["val"].to(dtype)
                node.replace_input_with(arg, new)
    if all(arg.meta["val"].dtype in (dtype, torch.bool) for arg in node.all_input_nodes):
        node.meta["val"] = node.meta["val"].to(dtype)


def spell_out_numbers(module: fx.GraphModule) -> None:
    """Numbers that the step makes, as in torch.tensor(0.5), as constants: the tracer keeps them as tensors."""
    for node in list(module.graph.nodes):
        if node.target is aten.lift_fresh_copy.default and node.args[0].op == "get_attr":
            tensor = getattr(module, node.args[0].target)
            if tensor.numel() == 1:
                with module.graph.inserting_before(node):
                    sizes, kind = list(tensor.shape), {"dtype": tensor.dtype}
                    new = module.graph.call_function(aten.full.default, (sizes, tensor.item()), kind)
                new.meta["val"] = tensor
                node.replace_all_uses_with(new)
    module.graph.eliminate_dead_code()


def spell_out_variances(graph: fx.Graph) -> None:
    """var(x) as the mean of squared distances from the mean: two sums over a row."""
    for node in list(graph.nodes):
        if node.target is not torch.ops.prims.var.default:
            continue
        x, axes = node.args[:2]
        if list(axes) not in ([-1], [len(shape(x)) - 1]):
            continue
        correction = node.args[2] if len(node.args) > 2 else node.kwargs.get("correction", 1)
        n = shape(x)[-1]

        def call(target: Any, *args: Any, like: Any) -> fx.Node:
            new = graph.call_function(target, args)
            new.meta["val"] = like
            return new

        with graph.inserting_before(node):
            row = x.meta["val"].sum(-1, keepdim=True)
            total = call(aten.sum.dim_IntList, x, axes, True, like=row)
            mean = call(aten.div.Tensor, total, n, like=row)
            off = call(aten.sub.Tensor, x, mean, like=x.meta["val"])
            square = call(aten.mul.Tensor, off, off, like=x.meta["val"])
            squares = call(aten.sum.dim_IntList, square, axes, False, like=node.meta["val"])
            variance = call(aten.div.Tensor, squares, max(0, n - correction), like=node.meta["val"])
        node.replace_all_uses_with(variance)


def share_equal_nodes(graph: fx.Graph) -> None:
    """One node for what is computed twice, above all for what forward and backward both need."""
    seen: dict[Any, fx.Node] = {}
    for node in graph.nodes:
        if node.op == "call_function":
            key = (node.target, repr(node.args), repr(sorted(node.kwargs.items(), key=lambda item: item[0])))
            first = seen.setdefault(key, node)
            if first is not node:
                node.replace_all_uses_with(first)


def same_shape(one: fx.Node, other: Any) -> bool:
    return isinstance(other, fx.Node) and shape(one) == shape(other)
