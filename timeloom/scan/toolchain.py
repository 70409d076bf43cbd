"""The C++ compiler: which one, what it is, and a text given to it, with a limit of time."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from timeloom.core.files import reason
from timeloom.core.warn import warn_caller

LONGEST, LONGEST_QUESTION = 300.0, 30.0  # seconds for a kernel, and for a version
SCARCE = 1 << 20  # bytes free: less is a full disk


class CannotBuild(Exception):
    """No compiler, or one that fails; the message says which and why."""


@cache
def compiler() -> tuple[str, ...] | None:
    """The first of $CXX, c++, g++ and clang++ that is there: a command, which may have words behind it."""
    chosen = os.environ.get("CXX", "").strip()
    if chosen:
        if words := command_of(chosen):
            return words
        warn_caller(f"$CXX names {chosen}, which is not there; another compiler is taken if there is one")
    return next((found for name in ("c++", "g++", "clang++") if (found := command_of(name))), None)


def command_of(text: str) -> tuple[str, ...] | None:
    """A program, whose path may hold blanks, or a program and its words, as in `ccache g++`."""
    if whole := shutil.which(text):
        return (whole,)
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation mark without its like
        return None
    found = [shutil.which(word) for word in words[:1]]
    return (found[0], *words[1:]) if found and found[0] else None


@cache
def compiler_version(tool: tuple[str, ...]) -> str:
    """The first line of what it says of itself."""
    code, said = outcome((*tool, "--version"), LONGEST_QUESTION)
    if code or not said.strip():
        raise CannotBuild(f"{named(tool)} does not say its version: {last_words(code, said)}")
    return said.strip().splitlines()[0]


def compiled(text: str, tool: tuple[str, ...], flags: Sequence[str]) -> bytes:
    """The shared library that a compiler makes of a text. Raises CannotBuild."""
    try:
        with tempfile.TemporaryDirectory(prefix="timeloom-build-", ignore_cleanup_errors=True) as folder:
            source, made = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
            with open(source, "x", encoding="utf-8") as file:
                file.write(text)
            code, said = outcome((*tool, *flags, str(source), "-o", str(made)), LONGEST)
            if code and shutil.disk_usage(folder).free < SCARCE:
                raise CannotBuild(f"there is no space left in {tempfile.gettempdir()}, where kernels are built")
            if code or not made.is_file():
                raise CannotBuild(f"{named(tool)} failed:\n{last_words(code, said)}")
            return made.read_bytes()
    except OSError as error:
        raise CannotBuild(f"there is no folder to build a kernel in: {reason(error)}") from error


def outcome(command: Sequence[str], seconds: float) -> tuple[int, str]:
    """How a command ended, and what it said; it and all that it started are ended when the time is over."""
    with tempfile.TemporaryFile() as heard:  # a pipe would wait for what a killed command has started
        try:
            run = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=heard, stderr=heard, start_new_session=True
            )
        except OSError as error:
            raise CannotBuild(f"{command[0]} cannot be run: {reason(error)}") from error
        try:
            code = run.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CannotBuild(f"{command[0]} was not done after {seconds:g} seconds, and was ended") from None
        finally:
            if run.poll() is None:
                end(run)
        heard.seek(0)
        return code, heard.read().decode("utf-8", "replace")


def end(run: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        os.killpg(run.pid, signal.SIGKILL)
    else:
        run.kill()
    run.wait()


def named(tool: tuple[str, ...]) -> str:
    return shlex.join(tool) + (", which $CXX names," if os.environ.get("CXX") else "")


def last_words(code: int, said: str) -> str:
    return said.strip()[:2000] or f"it ended with {code} and said nothing"
