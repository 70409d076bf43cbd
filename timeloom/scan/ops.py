"""What each ATen operation is to a time loop: element-wise, a view, a product, a sum over a row or over the batch."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

aten, prims = torch.ops.aten, torch.ops.prims

# Element-wise operations in the words of scan.h; {0}, {1}, ... are the arguments.
ELEMENTWISE: dict[Any, str] = {
    aten.neg.default: "-{0}",
    aten.mul.Tensor: "{0} * {1}",
    aten.mul.Scalar: "{0} * {1}",
    aten.div.Tensor: "{0} / {1}",
    aten.div.Scalar: "{0} / {1}",
    prims.div.default: "{0} / {1}",
    aten.add.Tensor: "{0} + {1}",
    aten.add.Scalar: "{0} + {1}",
    aten.sub.Tensor: "{0} - {1}",
    aten.sub.Scalar: "{0} - {1}",
    aten.exp.default: "exp({0})",
    aten.log.default: "log({0})",
    aten.log1p.default: "log1p({0})",
    aten.expm1.default: "expm1({0})",
    aten.sigmoid.default: "sigmoid({0})",
    aten.tanh.default: "tanh({0})",
    aten.relu.default: "maximum({0}, vec{{}})",
    aten.sqrt.default: "sqrt({0})",
    aten.rsqrt.default: "reciprocal(sqrt({0}))",
    aten.reciprocal.default: "reciprocal({0})",
    aten.abs.default: "abs({0})",
    aten.sign.default: "sign({0})",
    aten.sgn.default: "sign({0})",
    aten.erf.default: "erf({0})",
    aten.floor.default: "floor({0})",
    aten.sin.default: "sin({0})",
    aten.cos.default: "cos({0})",
    aten.maximum.default: "maximum({0}, {1})",
    aten.minimum.default: "minimum({0}, {1})",
    aten.remainder.Tensor: "remainder({0}, {1})",
    aten.remainder.Scalar: "remainder({0}, {1})",
    aten.pow.Tensor_Scalar: "power({0}, {1})",
    aten.pow.Tensor_Tensor: "power({0}, {1})",
    aten.where.self: "select({0}, {1}, {2})",
    aten.clamp.default: "",  # written by hand: either bound may be missing
    aten.clamp_min.default: "maximum({0}, {1})",
    aten.clamp_max.default: "minimum({0}, {1})",
    aten._to_copy.default: "",  # by hand: a mask becomes 0 and 1
    prims.convert_element_type.default: "",
}
COMPARISONS: dict[Any, str] = {
    aten.gt.Scalar: "{0} > {1}",
    aten.gt.Tensor: "{0} > {1}",
    aten.ge.Scalar: "{0} >= {1}",
    aten.ge.Tensor: "{0} >= {1}",
    aten.lt.Scalar: "{0} < {1}",
    aten.lt.Tensor: "{0} < {1}",
    aten.le.Scalar: "{0} <= {1}",
    aten.le.Tensor: "{0} <= {1}",
    aten.eq.Scalar: "{0} == {1}",
    aten.eq.Tensor: "{0} == {1}",
    aten.ne.Scalar: "{0} != {1}",
    aten.ne.Tensor: "{0} != {1}",
    aten.logical_and.default: "{0} & {1}",
    aten.logical_or.default: "{0} | {1}",
    aten.logical_not.default: "~{0}",
    aten.bitwise_and.Tensor: "{0} & {1}",
    aten.bitwise_or.Tensor: "{0} | {1}",
    aten.bitwise_not.default: "~{0}",
}
LOGICAL = {
    aten.logical_and.default,
    aten.logical_or.default,
    aten.logical_not.default,
    aten.bitwise_and.Tensor,
    aten.bitwise_or.Tensor,
    aten.bitwise_not.default,
}
CASTS = {aten._to_copy.default, prims.convert_element_type.default}
COSTLY = {  # results worth keeping for the way back, rather than computing them again
    aten.exp.default,
    aten.log.default,
    aten.log1p.default,
    aten.expm1.default,
    aten.sigmoid.default,
    aten.tanh.default,
    aten.sqrt.default,
    aten.rsqrt.default,
    aten.erf.default,
    aten.sin.default,
    aten.cos.default,
    aten.pow.Tensor_Scalar,
    aten.pow.Tensor_Tensor,
    aten.remainder.Tensor,
    aten.remainder.Scalar,
}
ROW_SUMS = {aten.sum.dim_IntList: "sum", prims.sum.default: "sum", aten.amax.default: "max", aten.amin.default: "min"}
PRODUCTS = {aten.mm.default}
CONSTANTS = {aten.full.default, aten.scalar_tensor.default, aten.zeros.default, aten.ones.default}
RESHAPES = {
    aten.view.default,
    aten._unsafe_view.default,
    aten.reshape.default,
    aten.unsqueeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.expand.default,
    prims.broadcast_in_dim.default,
}
SLICES = {aten.slice.Tensor, operator.getitem}
PIECES = {aten.cat.default, aten.slice_scatter.default, aten.constant_pad_nd.default}
SPLITS = {aten.split_with_sizes.default, aten.split.Tensor}


def shape(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's value on the traced step; () for scalars and for lists of tensors."""
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def is_total(node: fx.Node) -> bool:
    """Whether it is a sum over all rows of the batch, as (rows, width) → one row."""
    return ROW_SUMS.get(node.target) == "sum" and not node.kwargs and list(node.args[1]) == [0]  # type: ignore[arg-type]


def is_mask(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.bool
