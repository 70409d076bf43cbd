"""`timeloom look gradients`: how much of the gradient reaches each step, in cells that learn or in models that did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from jsonargparse import Namespace
from matplotlib.figure import Figure
from torch import Tensor

from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.core import DataError, UsageError
from timeloom.layers import Recurrent, gradient_flow, step_eigenvalues, watched_steps
from timeloom.pictures import gradient_flow_figure
from timeloom.tasks import load
from timeloom.tasks.adding import Adder, AddingOptions, adding_batch, learn_adding, make_adder
from timeloom.tasks.folder import read_config
from timeloom.tasks.inside import layers_of, loss_over_file, members_of
from timeloom.tasks.load import Model, untrained

GRADIENTS = "how much of the gradient reaches each step, for several cells or models, before and after training"
CELLS = "elman,irnn,gru,lstm,lstm1997"
Flows = dict[str, tuple[np.ndarray, np.ndarray | None]]


def gradients(argv: Sequence[str]) -> tuple[Figure, Path]:
    parser = make_parser(
        "look gradients",
        "Draw " + GRADIENTS + ". Without models: on the adding problem, whose loss is at the last step, and the first "
        "of whose numbers may be anywhere in the first half.",
    )
    parser.add_argument(
        "--models", type=str | None, default=None, help="Model folders, with commas; null: cells on the adding problem."
    )
    parser.add_argument("--file", type=str | None, default=None, help="What the models' loss is taken over.")
    parser.add_argument(
        "--count", type=int, default=100, help="Of so many examples of the file the longest; of a text, symbols."
    )
    parser.add_argument("--cells", type=str, default=CELLS, help="Names, with commas; `timeloom cells` has all.")
    parser.add_class_arguments(AddingOptions, nested_key=None)
    parser.add_argument("--out", type=str, default="gradients.png", help="The picture: .png, .pdf or .svg.")
    options = parse(parser, argv)
    return of_cells(options) if options.models is None else of_models(options), Path(options.out)


def of_cells(options: Namespace) -> Figure:
    """Cells that learn the adding problem."""
    if options.file is not None:
        raise UsageError("--file is for --models, and there are none")
    adding = options_of(AddingOptions, options)
    flows: Flows = {}
    eigenvalues = {}
    adders = {name: make_adder(name, adding) for name in names_in(options.cells, "cells")}
    for name, adder in adders.items():
        x, wanted = adding_batch(adding.batch_size, adding.length, torch.Generator().manual_seed(0))

        def loss(adder: Adder = adder, x: Tensor = x, wanted: Tensor = wanted) -> Tensor:
            return (adder(x) - wanted).square().mean()

        [before] = gradient_flow(adder.layer, loss)
        losses = [loss for loss, _ in learn_adding(adder, adding)]
        after = None
        if losses:
            [after] = gradient_flow(adder.layer, loss)
            last = sum(losses[-20:]) / len(losses[-20:])
            print(f"{name}: squared error {losses[0]:.4f} → {last:.4f} in {len(losses)} steps", file=sys.stderr)
        flows |= lines_of(name, before, after)
        eigenvalues[name] = eigenvalues_of(adder.layer, loss)
    title = f"The adding problem, {adding.length} steps; after {adding.steps} updates" if adding.steps else "Untrained"
    return gradient_flow_figure(flows, eigenvalues, title)


def of_models(options: Namespace) -> Figure:
    """Trained models, beside themselves with fresh weights."""
    ours = {field.name: field.default for field in fields(AddingOptions)}
    for name, default in {**ours, "cells": CELLS}.items():
        if getattr(options, name) != default:
            raise UsageError(f"--{name} is for the adding problem, and here are --models")
    if options.file is None:
        raise UsageError("name a --file beside the --models, whose loss over it is looked at")
    if options.count < 1:
        raise UsageError(f"count is {options.count}, wanted 1 or more")
    flows: Flows = {}
    eigenvalues = {}
    paths = names_in(options.models, "models")
    alike = len({Path(path).name for path in paths}) < len(paths)
    for path in paths:
        config, found, losses = read_config(Path(path)), [], []
        for model in (untrained(path), load(path)):
            layer = layers_of(model)
            try:
                loss = loss_over_file(model, config, options.file, options.count, longest=True)
            except (DataError, UsageError) as error:
                raise UsageError(f"the loss of {path}: {error}") from error
            found.append(gradient_flow(layer, own_loss(model, loss)))
            losses.append(loss().item())
        called = (path if alike else Path(path).name) + ", first member" * (members_of(model) > 1)
        for number, (before, after) in enumerate(zip(*found, strict=True)):
            flows |= lines_of(called + place_of(layer, number), before, after)
        eigenvalues[called + place_of(layer, 0)] = eigenvalues_of(layer, loss)
        print(f"{path}: loss {losses[0]:.4g} with fresh weights, {losses[1]:.4g} trained", file=sys.stderr)
    return gradient_flow_figure(flows, eigenvalues, f"{Path(options.file).name}: one long example")


def own_loss(model: Model, loss: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """As the loss of the one member that is looked into would be: the model has the mean of all."""
    return lambda: members_of(model) * loss()


def names_in(text: str, what: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise UsageError(f"{what} is empty, wanted names with commas")
    return names


def place_of(layer: Recurrent, number: int) -> str:
    """Which of the cells of a layer it is, where there are several."""
    level, way = divmod(number, 1 + layer.bidirectional)
    said = [f"layer {level + 1}"] * (layer.num_layers > 1) + [("forwards", "backwards")[way]] * layer.bidirectional
    return "".join(f", {word}" for word in said)


def lines_of(name: str, before: dict[str, Tensor], after: dict[str, Tensor] | None) -> Flows:
    """Of the fields of a state the first, and c: the memory that goes through on a path of its own."""
    first = next(iter(before))
    return {
        name if field == first else f"{name}, {field}": (
            before[field].numpy(),
            None if after is None else after[field].numpy(),
        )
        for field in before
        if field in (first, "c")
    }


def eigenvalues_of(layer: Recurrent, loss: Callable[[], Tensor]) -> np.ndarray:
    """Of one step of the first cell, in the middle of the first sequence."""
    with torch.no_grad(), watched_steps(layer.cells[:1]) as [seen]:
        loss()
    x, state, _ = seen[len(seen) // 2]
    return step_eigenvalues(layer.cells[0], x[0], type(state)(*(field[:1] for field in state))).numpy()
