"""A training as a folder beside the model: what may be replaced, what was begun, and what may change on resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timeloom.core import ModelError, UsageError
from timeloom.core.files import empty_folder, locked, make_folder, reason, write_whole
from timeloom.tasks.folder import read_config, run_options
from timeloom.train import LAST

RUN = "run.json"
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
def opened_run(workshop: Path, run: Mapping[str, Any], resume: bool) -> Iterator[str]:
    """The folder of a training, made, locked, and emptied unless it is resumed. Gives the name of the run.

    `run` has the options by section and the `fingerprint` of the data.
    """
    make_folder(workshop)
    with locked(workshop):
        if not resume:
            empty_folder(workshop, last=RUN)  # what still has its run.json is still a training, after a crash
        yield remember_run(workshop / RUN, run, resume)


def remember_run(path: Path, run: Mapping[str, Any], resume: bool) -> str:
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
    write_whole(path, json.dumps(run, indent=2).encode())
    lasting = {name: value for name, value in run_options(run).items() if name not in FREE | {"epochs", "patience"}}
    return hashlib.sha256(json.dumps([run["fingerprint"], lasting], sort_keys=True).encode()).hexdigest()


def check_task(begun: Mapping[str, Any], task: str, workshop: Path) -> None:
    """Raise where the run in a folder is another task's."""
    if begun.get("task", task) != task:
        raise UsageError(
            f"cannot resume {workshop}: it is a run of `timeloom train {begun['task']}`, not of `timeloom train {task}`"
        )


def may_become(name: str, before: Any, now: Any, began_with: Mapping[str, Any]) -> bool:
    """Whether an option may change on resume: only so that the run is one that could have begun with its new value."""
    if name in FREE or before == now:
        return True
    if name == "epochs":  # under any other schedule the steps already taken would have been others
        return None not in (before, now) and now > before and began_with["schedule"] == "constant"
    return name == "patience" and before != 0 and (now == 0 or now > before)


def recall_run(path: Path) -> dict[str, Any] | None:
    """What an earlier start wrote down; None where there was none."""
    try:
        run = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {reason(error)}") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    if not isinstance(run, dict) or not isinstance(run.get("fingerprint"), str):
        raise ModelError(f"{path} is damaged: it does not describe a run")
    return run
