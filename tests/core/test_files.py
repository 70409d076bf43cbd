import os
import resource
from pathlib import Path

import pytest

from timeloom.core import RunError
from timeloom.core.files import exchange, folder_written_whole, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_whole_replaces_and_leaves_no_scraps(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert names(tmp_path) == ["a"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # the system refuses to write past 1000 bytes
    try:
        with pytest.raises(RunError, match=r"cannot write .*a: File too large.*untouched"):
            write_whole(tmp_path / "a", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with folder_written_whole(tmp_path / "new" / "m") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "new" / "m").exists()
    assert (tmp_path / "new" / "m" / "x").read_text() == "1"
    assert names(tmp_path / "new") == ["m"]


def test_a_folder_is_exchanged_whole(tmp_path: Path) -> None:
    for content in ("x", "y"):
        with folder_written_whole(tmp_path / "m") as folder:
            (folder / content).write_text("1")
    assert names(tmp_path / "m") == ["y"]
    assert names(tmp_path) == ["m"]


def test_a_failure_inside_leaves_the_old_folder(tmp_path: Path) -> None:
    with folder_written_whole(tmp_path / "m") as folder:
        (folder / "x").write_text("1")

    def fail() -> None:
        with folder_written_whole(tmp_path / "m") as folder:
            (folder / "y").write_text("1")
            raise OSError(28, os.strerror(28))

    with pytest.raises(RunError, match="No space left on device"):
        fail()
    assert names(tmp_path / "m") == ["x"]
    assert names(tmp_path) == ["m"]


def test_exchange_without_the_system_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    monkeypatch.setattr("ctypes.CDLL", lambda *args, **kwargs: object())
    exchange(tmp_path / "a", tmp_path / "b")
    assert (names(tmp_path / "a"), names(tmp_path / "b"), names(tmp_path)) == (["b"], ["a"], ["a", "b"])
