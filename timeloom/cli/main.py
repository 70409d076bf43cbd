"""`timeloom COMMAND ...`: finds the command, and turns errors into messages and exit codes.

0 success; 1 a run that failed; 2 wrong usage, bad data or a bad model; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import timeloom

COMMANDS = {
    "demo": "train a slot filler on the shipped sample, see its scores and what it tags",
    "train": "train a model on your files: timeloom train TASK ...",
    "evaluate": "score a saved model on a file",
    "generate": "write text with a language model",
    "predict": "run a saved model on a file or on standard input",
    "look": "draw what a model does: timeloom look PICTURE ...",
    "sample": "write the shipped sample corpus to a folder",
    "cells": "list the recurrent cells, or describe one: equation, parameters, sources",
    "explain-cell": "what becomes of a cell's step: the native kernel, or why there is none",
}


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # UTF-8 whatever the terminal's, as the files are; of a file name that is not, its bytes in digits.
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        code = run([word for word in words if word != "--debug"])
        sys.stdout.flush()
        return code
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return told(error, debug)


def run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"timeloom {timeloom.__version__}")
        return 0
    if words[0] not in COMMANDS:
        say(f"error: there is no command {words[0]!r}; there are: {', '.join(COMMANDS)}")
        return 2
    return import_module(f"timeloom.cli.{words[0].replace('-', '_')}").run(words[1:])


def overview() -> str:
    rows = "\n".join(f"  {name:<14}{what}" for name, what in COMMANDS.items())
    return (
        "Usage: timeloom COMMAND ...\n\nRecurrent sequence learning: every sequence problem is one command.\n\n"
        f"Commands:\n{rows}\n\ntimeloom COMMAND --help lists a command's options. timeloom --version names the version."
    )


def told(error: BaseException, debug: bool) -> int:
    """Say what happened to the person at the terminal. Gives the exit code."""
    code = getattr(error, "exit_code", None)  # what timeloom's own errors carry
    if code is not None:
        say(f"{'stopped' if code == 130 else 'error'}: {error}")
        return code
    if isinstance(error, KeyboardInterrupt):
        say("stopped")
        return 130
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone (`| head`). Nothing is left to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError):
        say(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        with contextlib.suppress(OSError, ValueError):  # what is still to be written will fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if not debug:
        text = f"{type(error).__name__}: {error}"
        say(f"error: {text}\n  This is a fault in timeloom. --debug shows where it happened.")
    return 1


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
