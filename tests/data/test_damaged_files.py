"""Some hundred damaged files of every format: what comes of them is examples, or an error of ours."""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path

import numpy as np
import pytest

from timeloom.core import TimeloomError
from timeloom.data import read_labelled


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.ones((3, 4, 2)), y=np.array(["a", "b", "a"]), lengths=np.array([4, 2, 1]))
    return file.getvalue()


WHOLE = {
    "a.npz": arrays(),
    "a.csv": b'text,label\n"fine, really",good\ndull,bad\n',
    "steps.csv": b"series,label,v,w\na,x,1,2\na,x,3,4\nb,y,5,6\n",
    "a.jsonl": b'{"text": "fine", "label": "good"}\n{"text": "dull", "cats": {"bad": 1.0}}\n',
    "a.ts": b"@problemName P\n@classLabel true a b\n@data\n1,2:3,4:a\n5:6:b\n",
    "a.tsv": b"1\t0.5\t0.25\n2\t0.5\tNaN\n",
    "a.txt": b"good fine __label__x\nbad dull __label__x\n",
}
ODD = [
    b"\r",
    b"\n",
    b"\0",
    b'"',
    b"\xff",
    b"{",
    b"[",
    b"1e300",
    b"(",
    b"'",
    b"\\",
    b",",
    b":",
    b"\t",
    b"O",
    b"\xef\xbb\xbf",
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The bytes with some flipped, cut out, or put in."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(3):
            case 0:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                found[at : at + chance.randint(1, 9)] = b""
            case _:
                found[at:at] = chance.choice(ODD)
    return bytes(found)


@pytest.mark.parametrize("name", list(WHOLE))
def test_damaged_files_end_in_examples_or_an_error_of_ours(tmp_path: Path, name: str) -> None:
    chance, path = random.Random(name), tmp_path / name
    format = "steps" if name == "steps.csv" else "guess"
    path.write_bytes(WHOLE[name])
    assert read_labelled(path, format)
    for _ in range(150):
        path.write_bytes(damaged(WHOLE[name], chance))
        with contextlib.suppress(TimeloomError):
            read_labelled(path, format)
