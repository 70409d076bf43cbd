"""`timeloom look WHAT ...`: pictures of what a model does, and why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from timeloom.cli import look_gradients, look_tags, look_training
from timeloom.core import UsageError
from timeloom.core.files import write_whole
from timeloom.pictures import as_picture, picture_suffix

PICTURES = {
    "lattice": (look_tags.LATTICE, look_tags.lattice),
    "transitions": (look_tags.TRANSITIONS, look_tags.transitions),
    "surface": (look_training.SURFACE, look_training.surface),
    "gradients": (look_gradients.GRADIENTS, look_gradients.gradients),
    "gates": (look_training.GATES, look_training.gates),
}


def run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<14}{what}" for name, (what, _) in PICTURES.items())
        print(
            f"Usage: timeloom look PICTURE ...\n\nPictures:\n{rows}\n\ntimeloom look PICTURE --help lists its options."
        )
        return 0 if argv else 2
    if argv[0] not in PICTURES:
        raise UsageError(f"there is no picture {argv[0]!r}; there are: {', '.join(PICTURES)}")
    for out in [word.partition("=")[2] or after for word, after in pairwise([*argv, ""]) if word.startswith("--out")]:
        if not Path(out).parent.is_dir():  # rather said before the work than after it
            raise UsageError(f"there is no folder {Path(out).parent} for the picture")
        picture_suffix(out)
    _, draw = PICTURES[argv[0]]
    figure, out = draw(argv[1:])
    write_whole(out, as_picture(figure, picture_suffix(out)))
    print(out)
    sys.stdout.flush()
    return 0
