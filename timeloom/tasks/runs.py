"""A training as a folder beside the model: what may be replaced, what was begun, and what may change on resume."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timeloom.core import ModelError, UsageError
from timeloom.core.files import empty_folder, locked, make_folder
from timeloom.core.sealed import Seal, read_sealed, write_sealed
from timeloom.tasks.folder import OPTION_SECTIONS, read_config, run_options
from timeloom.train import LAST

RUN = "run.json"
# The first line is the beginning of the JSON object that the rest of the file completes.
SEAL = Seal(
    before=b'{"sha256": "',
    after=b'",\n',
    what="the record of a training by this version of Timeloom",
    advice="Put back a copy of the file if you have one, or move its folder away and start anew.",
)
# What may differ on resume: files by another name, as long as their content is the same, and who looks on.
FREE = {"train", "valid", "test", "vectors", "checkpoint_seconds", "doctor"}


def check_folders(out: Path, workshop: Path, resume: bool, overwrite: bool) -> None:
    """See that nothing will be replaced that anybody wants, or that is not a model or a training of ours."""
    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite starts anew; give one of them")
    inside = [path.name for path in workshop.iterdir()] if workshop.is_dir() else []
    if workshop.exists() and not workshop.is_dir():
        raise UsageError(f"{workshop} is a file; the training needs a folder of that name. Move it away.")
    if RUN not in inside and any(not name.startswith(".") for name in inside):
        raise UsageError(f"{workshop} is there and is not the folder of a training ({RUN} is not in it); move it away")
    if not resume and not overwrite:
        for path in (out, workshop / LAST):  # a run without a checkpoint has nothing to lose
            if path.exists():
                raise UsageError(
                    f"{path} is already there. Give another --out, go on with that run by --resume, or start it anew "
                    "by --overwrite."
                )
    if out.exists():
        try:
            read_config(out)
        except ModelError as error:
            raise UsageError(f"{out} will not be replaced, for only a model may be: {error}") from error
        if resume and not workshop.exists():
            raise UsageError(f"{out} is a finished model, and {workshop} is not there to go on from")


@contextmanager
def opened_run(workshop: Path, run: Mapping[str, Any], resume: bool, note: Callable[[str], None]) -> Iterator[str]:
    """The folder of a training, made, locked, and emptied unless it is resumed. Gives the name of the run.

    `run` has the options by section, the `fingerprint` of the data and the number of `threads`; `note` is told what is
    worth a line.
    """
    make_folder(workshop)
    with locked(workshop):
        if not resume:
            empty_folder(workshop, last=RUN)  # what still has its run.json is still a training, after a crash
        yield remember_run(workshop / RUN, run, resume, note)


def remember_run(path: Path, run: Mapping[str, Any], resume: bool, note: Callable[[str], None]) -> str:
    """Write down what is being run; when resuming, see that it is the same run. Gives a name that is its own."""
    before = recall_run(path) if resume else None
    if before is not None:
        check_task(before, run["task"], path.parent)
        if before["fingerprint"] != run["fingerprint"]:
            raise UsageError(f"cannot resume {path.parent}: the data are not those that the run began with")
        began_with = run_options(before)
        for name, value in run_options(run).items():
            if name not in FREE and name not in began_with:
                raise UsageError(
                    f"cannot resume {path.parent}: it was begun by a version of Timeloom that had no {name}.\n"
                    "  Go on with that version, or start anew with --overwrite."
                )
            if not may_become(name, began_with.get(name), value, began_with):
                raise UsageError(
                    f"cannot resume {path.parent} with another {name}: "
                    f"it began with {began_with[name]}, now came {value}.\n"
                    f"  Leave --{name} out, or start anew with --overwrite."
                )
        if before["threads"] != run["threads"]:
            note(
                f"the run began with {before['threads']} threads and goes on with {run['threads']}: its weights will "
                "differ in their last bits from those of an unbroken run. "
                f"OMP_NUM_THREADS={before['threads']} goes on as it began."
            )
        run = {**run, "threads": before["threads"]}
    keep_run(path, run)
    lasting = {name: value for name, value in run_options(run).items() if name not in FREE | {"epochs", "patience"}}
    return hashlib.sha256(json.dumps([run["fingerprint"], lasting], sort_keys=True).encode()).hexdigest()


def check_task(begun: Mapping[str, Any], task: str, workshop: Path) -> None:
    """Raise where the run in a folder is another task's."""
    if begun["task"] != task:
        raise UsageError(
            f"cannot resume {workshop}: it is a run of `timeloom train {begun['task']}`, not of `timeloom train {task}`"
        )


def may_become(name: str, before: Any, now: Any, began_with: Mapping[str, Any]) -> bool:
    """Whether an option may change on resume: only so that the run is one that could have begun with its new value."""
    if name in FREE or before == now:
        return True
    if name == "epochs":  # under any other schedule the steps already taken would have been others
        return None not in (before, now) and now > before and began_with.get("schedule") == "constant"
    return name == "patience" and before != 0 and (now == 0 or now > before)


def keep_run(path: Path, run: Mapping[str, Any]) -> None:
    """Write down what is being run, for `recall_run`."""
    kept = {name: value for name, value in run.items() if name != "sha256"}
    write_sealed(path, json.dumps(kept, indent=2).encode()[1:], SEAL)


def recall_run(path: Path) -> dict[str, Any] | None:
    """What an earlier start wrote down; None where there was none. ModelError where it is damaged or not ours."""
    if not os.path.lexists(path):
        return None
    content = read_sealed(path, SEAL)
    try:
        run = json.loads(b"{" + bytes(content))
    except (ValueError, RecursionError) as error:
        raise SEAL.damaged(path, f"it is not JSON: {error}") from error
    for name, kind in (("task", str), ("fingerprint", str), ("threads", int)):
        if not isinstance(run.get(name), kind):
            raise SEAL.damaged(path, f"its {name} is {json.dumps(run.get(name))}")
    for section in OPTION_SECTIONS:
        if not isinstance(run.get(section, {}), dict):
            raise SEAL.damaged(path, f"its section {section} is {json.dumps(run[section])}")
    return run
