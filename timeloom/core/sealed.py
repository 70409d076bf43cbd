"""Files whose first line holds the checksum of all that follows: a change of any bit is noticed at reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from timeloom.core.errors import ModelError
from timeloom.core.files import reason, write_whole


@dataclass(frozen=True)
class Seal:
    """How a kind of file begins, up to its checksum and after it, and what to say of a file that is damaged."""

    before: bytes
    after: bytes
    what: str  # "a checkpoint of Timeloom"
    advice: str  # what to do with a damaged one

    def head(self, content: bytes | memoryview) -> bytes:
        return self.before + hashlib.sha256(content).hexdigest().encode() + self.after

    def damaged(self, path: Path, how: str) -> ModelError:
        return ModelError(f"{path} is not {self.what}, or it is damaged: {how}.\n  {self.advice}")


def write_sealed(path: Path, content: bytes | memoryview, seal: Seal) -> None:
    """Replace the file at `path` by `content` under its checksum, whole or not at all."""
    write_whole(path, seal.head(content), content)


def read_sealed(path: Path, seal: Seal) -> memoryview:
    """What `write_sealed` was given. Raises ModelError where the file is anything else, to the bit."""
    if path.exists() and not path.is_file():
        raise ModelError(f"{path} is not a regular file, so it is not {seal.what}")
    try:
        whole = memoryview(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {reason(error)}") from error
    length = len(seal.before) + hashlib.sha256().digest_size * 2 + len(seal.after)
    head, content = bytes(whole[:length]), whole[length:]
    if not head.startswith(seal.before):
        raise seal.damaged(path, "it does not begin with a checksum")
    if head != seal.head(content):
        raise seal.damaged(path, "its content does not have the checksum that it was written with")
    return content
