"""`timeloom COMMAND ...`: finds the command, and turns errors into messages and exit codes.

0 success; 1 a run that failed; 2 wrong usage, bad data or a bad model; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from timeloom.core import TimeloomError, UsageError

COMMANDS = {
    "demo": "train a slot filler on the shipped sample, see its scores and what it tags",
    "train": "train a model on your files: timeloom train TASK ...",
    "evaluate": "score a saved model on a file",
    "predict": "run a saved model on a file or on standard input",
    "sample": "write the shipped sample corpus to a folder",
}


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        return run(words)
    except (TimeloomError, KeyboardInterrupt, BrokenPipeError) as error:
        if debug:
            traceback.print_exc()
        return told(error)
    except Exception as error:
        if debug:
            traceback.print_exc()
        else:
            text = f"{type(error).__name__}: {error}"
            say(f"error: {text}\n  This is a fault in timeloom. --debug shows where it happened.")
        return 1


def run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0 if words else 2
    if words[0] == "--version":
        from timeloom import __version__

        print(f"timeloom {__version__}")
        return 0
    if words[0] not in COMMANDS:
        raise UsageError(f"there is no command {words[0]!r}; there are: {', '.join(COMMANDS)}")
    return import_module(f"timeloom.cli.{words[0]}").run(words[1:])


def overview() -> str:
    rows = "\n".join(f"  {name:<10}{what}" for name, what in COMMANDS.items())
    return (
        "Usage: timeloom COMMAND ...\n\nRecurrent sequence learning: every sequence problem is one command.\n\n"
        f"Commands:\n{rows}\n\ntimeloom COMMAND --help lists a command's options. timeloom --version names the version."
    )


def told(error: BaseException) -> int:
    """Say what happened to the person at the terminal. Gives the exit code."""
    if isinstance(error, TimeloomError):
        say(f"{'stopped' if error.exit_code == 130 else 'error'}: {error}")
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone (`| head`). Nothing is left to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    say("stopped")
    return 130


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
