"""Kernels and what surrounds them: compilers that are missing or fail, caches that are damaged, processes, threads."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tolerances import assert_close
from timeloom.cells import ElmanCell, GRUCell, LSTMCell
from timeloom.layers import Recurrent
from timeloom.scan import build, plain_loop, scan

SCRIPT = """
import sys, time, torch, warnings
from timeloom.cells import GRUCell
from timeloom.scan import scan
torch.manual_seed(0)
cell, x = GRUCell(3, {width}), torch.ones(4, 2, 3)
begin = time.perf_counter()
y = scan(cell, x)[0]
print(y.sum().item(), time.perf_counter() - begin)
"""


def run_script(width: int, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "TIMELOOM_CACHE": str(cache), **environment}
    return subprocess.run([sys.executable, "-c", SCRIPT.format(width=width)], capture_output=True, text=True, env=given)


def expected(width: int) -> float:
    torch.manual_seed(0)
    with plain_loop():
        return scan(GRUCell(3, width), torch.ones(4, 2, 3))[0].sum().item()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory of an earlier compiler."""
    monkeypatch.setattr(build, "compiler", build.compiler.__wrapped__)
    monkeypatch.setattr(build, "compiler_version", build.compiler_version.__wrapped__)


def test_no_compiler_means_the_plain_loop_and_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    cell, x = GRUCell(3, 21), torch.randn(4, 2, 3)
    with pytest.warns(UserWarning, match=r"GRUCell runs in the plain loop.*no C\+\+ compiler is installed") as told:
        y = scan(cell, x)[0]
    scan(cell, x)  # a second warning would be an error here
    assert len(told) == 1
    assert "test_build.py" in told[0].filename  # the line of the person, not ours
    with plain_loop():
        assert torch.equal(scan(cell, x)[0], y)


def test_a_compiler_that_fails_is_told_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "c++"
    tool.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo broken 1.0 && exit 0\necho 'no room left' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("CXX", str(tool))
    monkeypatch.setenv("TIMELOOM_CACHE", str(tmp_path / "cache"))
    with pytest.warns(UserWarning, match=r"(?s)ElmanCell runs.*c\+\+, which \$CXX names, failed:.*no room left"):
        scan(ElmanCell(3, 22), torch.randn(4, 2, 3))
    assert list((tmp_path / "cache").iterdir()) == []  # and leaves nothing behind


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "not ours"])
def test_a_damaged_file_of_the_cache_is_built_again(damage: str, tmp_path: Path) -> None:
    wanted = expected(23)
    assert float(run_script(23, tmp_path).stdout.split()[0]) == pytest.approx(wanted, rel=1e-5)
    files = list(tmp_path.glob("*.so"))
    assert files
    for file in files:
        content = file.read_bytes()
        if damage == "cut":
            file.write_bytes(content[: len(content) // 2])
        elif damage == "flip":
            middle = len(content) // 2
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        elif damage == "empty":
            file.write_bytes(b"")
        else:
            file.write_bytes(b"\x7fELF and then something else altogether" * 100)
    done = run_script(23, tmp_path)
    assert done.stderr == ""
    assert float(done.stdout.split()[0]) == pytest.approx(wanted, rel=1e-5)
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_cached_kernel_is_loaded_without_a_compiler_and_the_folder_is_private(tmp_path: Path) -> None:
    cache = tmp_path / "kernels"
    run_script(24, cache)
    assert cache.stat().st_mode & 0o077 == 0
    before = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    done = run_script(24, cache)
    assert done.stderr == ""
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == before


def test_processes_that_build_the_same_kernel_at_once(tmp_path: Path) -> None:
    given = {**os.environ, "TIMELOOM_CACHE": str(tmp_path)}
    runs = [
        subprocess.Popen([sys.executable, "-c", SCRIPT.format(width=25)], stdout=-1, stderr=-1, text=True, env=given)
        for _ in range(3)
    ]
    for run in runs:
        out, err = run.communicate()
        assert err == ""
        assert float(out.split()[0]) == pytest.approx(expected(25), rel=1e-5)
    assert all(file.suffix == ".so" and not file.name.startswith(".") for file in tmp_path.iterdir())


def test_a_processor_without_avx2_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "warn_if_narrow", build.warn_if_narrow.__wrapped__)
    monkeypatch.setattr(build, "processor", lambda: "x86_64 DEFAULT fpu sse sse2")
    monkeypatch.setattr(build.platform, "machine", lambda: "x86_64")
    with pytest.warns(UserWarning, match="no AVX2"):
        scan(GRUCell(3, 26), torch.randn(2, 2, 3))


@pytest.mark.parametrize("flags", ["-march=x86-64", "-march=x86-64-v3"])
def test_narrower_vectors_give_the_same(flags: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if build.platform.machine() != "x86_64":
        pytest.skip("these are names of x86 processors")
    cell, x = LSTMCell(3, 27), torch.randn(9, 7, 3)
    y = scan(cell, x)[0].detach()
    monkeypatch.setenv("TIMELOOM_CXXFLAGS", flags)
    other = LSTMCell(3, 27)
    other.load_state_dict(cell.state_dict())
    assert_close(scan(other, x)[0].detach(), y)


def back_and_forth(layer: Recurrent, x: Tensor) -> list[Tensor]:
    layer.zero_grad()
    y, _ = layer(x)
    y.square().sum().backward()
    return [y.detach(), *(p.grad for p in layer.parameters() if p.grad is not None)]


def in_child(connection: Connection, layer: Recurrent, x: Tensor) -> None:
    torch.set_num_threads(1)  # as in a DataLoader's worker: torch's own threads do not outlive a fork
    connection.send([tensor.numpy() for tensor in back_and_forth(layer, x)])


def test_after_a_fork() -> None:
    layer, x = Recurrent(GRUCell(4, 130), num_layers=2), torch.randn(16, 12, 4)
    wanted = back_and_forth(layer, x)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=in_child, args=(theirs, layer, x))
    child.start()
    assert ours.poll(60)
    for found, tensor in zip(ours.recv(), wanted, strict=True):
        assert_close(torch.from_numpy(found), tensor)
    child.join()


class Encoded(torch.utils.data.Dataset[Tensor]):
    """A data set that runs a layer for each of its items."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.layer, self.x = Recurrent(LSTMCell(4, 40)), torch.randn(6, 3, 11, 4)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Tensor:
        with torch.no_grad():
            return self.layer(self.x[index])[0]


def test_in_the_workers_of_a_data_loader() -> None:
    data = Encoded()
    wanted = [data[i] for i in range(len(data))]
    found = list(torch.utils.data.DataLoader(data, batch_size=None, num_workers=2))
    assert_close(tuple(found), tuple(wanted))


def test_memory_is_free_when_a_scan_is_done_with() -> None:
    """And not when the garbage collector comes by: a circle would hold all that was kept for the way back."""
    layer, x = Recurrent(LSTMCell(3, 4), bidirectional=True), torch.randn(2, 5, 3)
    back_and_forth(layer, x)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    try:
        back_and_forth(layer, x)
        gc.collect()
        assert [thing for thing in gc.garbage if type(thing) is Tensor] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
