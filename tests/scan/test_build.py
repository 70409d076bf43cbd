"""Kernels and what surrounds them: compilers that are missing or fail, caches that are damaged, processes, threads."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
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
from timeloom.scan import build, cache, plain_loop, scan

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
    monkeypatch.setattr(cache, "warn_not_kept", cache.warn_not_kept.__wrapped__)


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
    assert not (tmp_path / "cache").exists()


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


def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    """What lies there, with the right name and sum, would be run."""
    tmp_path.chmod(0o777)
    done = run_script(28, tmp_path)
    assert "kernels cannot be kept (" in done.stderr
    assert "may be written to by other users, and what lies there would be run)" in done.stderr
    assert float(done.stdout.split()[0]) == pytest.approx(expected(28), rel=1e-5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give a folder away")
def test_a_cache_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    done = run_script(28, tmp_path)
    assert "belongs to another user" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trick", ["link", "open", "fifo"])
def test_a_file_of_the_cache_that_is_not_ours_alone_is_not_loaded(trick: str, tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    run_script(28, folder)
    file = min(folder.iterdir())  # a kernel, or the products that all of them share
    if trick == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    elif trick == "fifo":
        file.unlink()
        os.mkfifo(file)
    else:
        file.chmod(0o666)
    done = run_script(28, folder)
    assert done.stderr == ""
    assert float(done.stdout.split()[0]) == pytest.approx(expected(28), rel=1e-5)
    assert file.is_file()
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o077 == 0


def test_the_parents_of_a_new_cache_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache.make_private(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/c"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700


def test_many_libraries_through_the_same_descriptor_are_not_taken_for_each_other(tmp_path: Path) -> None:
    tool = build.compiler()
    assert tool
    for number in range(6):
        text = f'extern "C" int number() {{ return {number}; }}'
        library = cache.kept_in(tmp_path, f"{number}.so", build.compiled(text, tool, ("-shared", "-fPIC")))
        assert library
        assert library.number() == number
    with cache.opened_folder(tmp_path) as place:
        again = [cache.load(place, f"{number}.so") for number in range(6)]
    assert [library and library.number() for library in again] == list(range(6))


def test_without_proc_parents_that_others_may_write_to_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open" / "kernels"
    cache.make_private(folder)
    cache.refuse_open_parents(folder)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(cache.Unfit, match="open, which other users may write to"):
        cache.refuse_open_parents(folder)


def test_no_home_and_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIMELOOM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.warns(UserWarning, match=r"kernels cannot be kept \(\$HOME is not set") as told:
        y = scan(GRUCell(3, 29), torch.ones(4, 2, 3))[0]
    assert len(told) == 1
    scan(GRUCell(3, 29), torch.ones(4, 2, 3))  # neither a second warning
    with plain_loop():
        assert y.shape == scan(GRUCell(3, 29), torch.ones(4, 2, 3))[0].shape


@pytest.mark.parametrize("fault", ["noexec", "full"])
def test_a_cache_that_cannot_be_used_is_said_and_a_private_folder_taken(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMELOOM_CACHE", str(tmp_path))

    def refuse(place: cache.Place, *args: object) -> None:
        if place.path == tmp_path:
            raise cache.Unfit(f"{tmp_path} is {fault}")
        return kept(place, *args)

    method = "refuse_noexec" if fault == "noexec" else "write"
    kept = getattr(cache.Place, method)
    monkeypatch.setattr(cache.Place, method, refuse)
    with pytest.warns(UserWarning, match=f"kernels cannot be kept .*is {fault}.*each process builds its own") as told:
        scan(GRUCell(3, 30 + len(fault)), torch.ones(4, 2, 3))
    assert len(told) == 1


SILENT = '[ "$1" = --version ] && echo broken 1.0 && exit 0\n'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"#!/bin/sh\n{SILENT}sleep 60\n", r"was not done after 1 seconds"),
        (f"#!/bin/sh\n{SILENT}sleep 60 &\nprintf 'no \\377 room' >&2\nexit 1\n", "no \ufffd room"),
        ("exit 1\n", "cannot be run: Exec format error"),
        ("#!/bin/sh\n", "does not say its version"),
    ],
    ids=["hangs", "no UTF-8", "no #!", "says nothing"],
)
def test_odd_compilers(script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "c++"
    tool.write_text(script)
    tool.chmod(0o755)
    monkeypatch.setenv("CXX", str(tool))
    monkeypatch.setenv("TIMELOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("timeloom.scan.toolchain.LONGEST", 1.0)
    with pytest.warns(UserWarning, match=f"(?s)plain loop.*{said}"):
        scan(ElmanCell(3, 22), torch.randn(4, 2, 3))


def test_a_compiler_with_words_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("c++") or shutil.which("g++")
    assert real
    wrapper = tmp_path / "my wrapper"
    wrapper.write_text('#!/bin/sh\nexec "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CXX", f"'{wrapper}' {real}")
    assert build.compiler() == (str(wrapper), real)
    monkeypatch.setenv("CXX", str(wrapper))
    assert build.compiler() == (str(wrapper),)
    monkeypatch.setenv("CXX", f"'{wrapper}' {real}")
    monkeypatch.setenv("TIMELOOM_CACHE", str(tmp_path / "cache"))
    scan(GRUCell(3, 31), torch.ones(4, 2, 3))  # a warning would be an error here
    assert list((tmp_path / "cache").glob("*.so"))


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
