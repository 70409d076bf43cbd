"""`timeloom look surface` and `gates`: why training fails, and what a net does inside."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jsonargparse import Namespace
from matplotlib.figure import Figure

from timeloom.cli.parser import make_parser, parse
from timeloom.core import UsageError, check_seed
from timeloom.layers import gates_over_time, saturated
from timeloom.pictures import error_surface, gates_figure
from timeloom.tasks import load
from timeloom.tasks.cliff import Cliff
from timeloom.tasks.folder import read_config
from timeloom.tasks.inside import layers_of, loss_over_file, members_of, steps_of_text
from timeloom.train.surface import Path as Descent
from timeloom.train.surface import Plane, along_weights, at_random, of_most_curvature

SURFACE = "the loss over two weights or directions, with gradient descent on it: the cliffs"
GATES = "the gates of a trained model over the steps of a text, and how many are saturated"
CENTRE, REACH = (5.0, -3.0), 3.0  # of the picture of the one unit: w from 2 to 8, b from -6 to 0
BEGIN = (6.0, -2.2)


def surface(argv: Sequence[str]) -> tuple[Figure, Path]:
    parser = make_parser(
        "look surface",
        "Draw "
        + SURFACE
        + ". Without a model: one recurrent unit over 50 steps, and its two weights (Pascanu, Mikolov "
        "and Bengio 2013).",
    )
    parser.add_argument("--model", type=str | None, default=None, help="Model folder; null: the net of one unit.")
    parser.add_argument("--file", type=str | None, default=None, help="What the model's loss is taken over.")
    parser.add_argument("--count", type=int, default=16, help="How many examples of the file; of a text, symbols.")
    parser.add_argument(
        "--directions",
        type=Literal["hessian", "random"],
        default="hessian",
        help="Of the model's weights: where the loss curves most, or two at random, as long as the weights.",
    )
    parser.add_argument(
        "--weights",
        type=list[str],
        default=[],
        help="Two single weights instead, as in ['output.bias[0]', 'encoder.cells.0.recurrent.weight[0,0]']; of a "
        "tagger ['members.0.output.bias[0]', 'members.0.encoder.cells.0.recurrent.weight[0,0]'].",
    )
    parser.add_argument("--span", type=float, default=1.0, help="How far the picture of a model reaches either way.")
    parser.add_argument("--points", type=int, default=81, help="Points along each side.")
    parser.add_argument("--steps", type=int, default=60, help="Steps of gradient descent; 0 draws no path.")
    parser.add_argument("--learning_rate", type=float, default=1.0, help="Of gradient descent.")
    parser.add_argument("--clip_norm", type=float, default=0.2, help="Longest gradient of the path that clips.")
    parser.add_argument(
        "--begin",
        type=list[float] | None,
        default=None,
        help="Where descent begins; null: on the plain above the cliff; of a model, 0.7 of the span from it.",
    )
    parser.add_argument("--seed", type=int, default=1, help="Of directions.")
    parser.add_argument("--out", type=str, default="surface.png", help="The picture: .png, .pdf or .svg.")
    options = parse(parser, argv)
    for name, least in (("points", 2), ("count", 1), ("steps", 0)):
        if getattr(options, name) < least:
            raise UsageError(f"{name} is {getattr(options, name)}, wanted {least} or more")
    for name in ("span", "learning_rate", "clip_norm"):
        if not 0 < getattr(options, name) < math.inf:
            raise UsageError(f"{name} is {getattr(options, name)}, wanted more than 0")
    check_seed(options.seed)
    if options.model is None and (options.file is not None or options.weights):
        raise UsageError("--file and --weights are for a --model, and there is none")
    plane, centre, reach, begin, names = plane_of(options)
    a, b = (np.linspace(middle - reach, middle + reach, options.points) for middle in centre)
    losses = plane.losses(a.tolist(), b.tolist()).numpy()
    paths = {}
    if options.steps:
        for name, clip in (("gradient descent", None), (f"clipped at {options.clip_norm:g}", options.clip_norm)):
            paths[name] = plane.descend(*begin, options.learning_rate, options.steps, clip)
            print(described(name, paths[name]), file=sys.stderr)
    points = {name: path.points.numpy() for name, path in paths.items()}
    if len(points) == 2 and np.array_equal(*points.values()):
        print("no gradient was long enough to be clipped, so that the two paths are one", file=sys.stderr)
    model = None if options.model is None else (0.0, 0.0)
    return error_surface(a.tolist(), b.tolist(), losses, names, points, model), Path(options.out)


def plane_of(
    options: Namespace,
) -> tuple[Plane, tuple[float, float], float, tuple[float, float], tuple[str, str]]:
    """The plane, its middle and reach, where descent begins, and the names of its axes."""
    if options.begin is not None and len(options.begin) != 2:
        raise UsageError(f"begin is {options.begin}, wanted two numbers")
    begin = None if options.begin is None else (options.begin[0], options.begin[1])
    if options.model is None:
        unit = Cliff().double()
        plane = Plane(unit, unit.loss, torch.eye(2, dtype=torch.float64))
        return plane, CENTRE, REACH, begin or BEGIN, ("w", "b")
    if options.file is None:
        raise UsageError("name a --file beside the --model, whose loss over it is drawn")
    model = load(options.model).double()
    loss = loss_over_file(model, read_config(Path(options.model)), options.file, options.count)
    names = ("first direction", "second direction")
    if options.weights:
        if len(options.weights) != 2:
            raise UsageError(f"weights are {options.weights}, wanted two")
        directions = along_weights(model, options.weights)
        names = (f"change of {options.weights[0]}", f"change of {options.weights[1]}")
    elif options.directions == "random":
        directions = at_random(model, options.seed)
    else:
        directions = of_most_curvature(model, loss, options.seed)
    far = 0.7 * options.span
    return Plane(model, loss, directions), (0.0, 0.0), options.span, begin or (far, far), names


def described(name: str, path: Descent) -> str:
    jumps = (path.points[1:] - path.points[:-1]).norm(dim=1)
    longest = f", the longest {float(jumps.max()):.3g} long, step {int(jumps.argmax()) + 1}" if len(jumps) else ""
    return f"{name}: loss {float(path.losses[0]):.4g} → {float(path.losses[-1]):.4g} in {len(jumps)} steps{longest}"


def gates(argv: Sequence[str]) -> tuple[Figure, Path]:
    parser = make_parser("look gates", "Draw " + GATES + ".")
    parser.add_argument("model", type=str, help="Model folder.")
    parser.add_argument("text", type=str, help="The text.")
    parser.add_argument("--backward", action="store_true", help="Of a layer that reads from both ends: the other one.")
    parser.add_argument("--units", type=int, default=24, help="Most units that are shown of each gate.")
    parser.add_argument("--out", type=str, default="gates.png", help="The picture: .png, .pdf or .svg.")
    options = parse(parser, argv)
    if options.units < 1:
        raise UsageError(f"units is {options.units}, wanted 1 or more")
    model = load(options.model)
    layers = layers_of(model)
    if options.backward and not layers.bidirectional:
        raise UsageError(f"{options.model} reads forwards only")
    words, x = steps_of_text(model, options.text)
    found, kinds = gates_over_time(layers.cells[1 if options.backward else 0], x, options.backward)
    if not found:
        raise UsageError(f"the step of {type(layers.cells[0]).__name__} has no sigmoid, tanh or relu to look at")
    shares = {name: saturated(value, kinds[name]) for name, value in found.items()}
    for name, share in shares.items():
        print(f"{name}: {100 * share:.0f} % saturated", file=sys.stderr)
    values = {name: value.numpy() for name, value in found.items()}
    way = ("forwards", "backwards")[options.backward]
    member = "the first member's" if members_of(model) > 1 else "the"
    title = f"{Path(options.model).name}: {member} first layer, {type(layers.cells[0]).__name__}, reading {way}"
    return gates_figure(words, values, shares, title, options.units), Path(options.out)
