"""A crash before any single file operation: what was there is still whole, and the resumed run ends in the same bytes.

The run is forked again and again, and each fork dies at one operation more than the one before it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpora import write_conll

SCRIPT = '''
import os, sys
from pathlib import Path
import torch
import timeloom
from timeloom.core import files
from timeloom.scan import plain_loop
from timeloom.tasks.tagging import TaggerOptions, TaggingData, train_tagger
from timeloom.train import TrainingOptions

torch.set_num_threads(1)  # OpenMP's threads do not come along into a fork
folder, replacing = Path(sys.argv[1]), sys.argv[2] == "replacing"
corpus, out = str(folder / "corpus.conll"), folder / "m"
sizes = TaggerOptions(hidden_size=4, embedding_size=4, output="softmax", characters="none")


def train(seed, **how):
    # A kernel would be traced anew in every fork; what is tried here is the files.
    with plain_loop():
        train_plainly(seed, **how)


def train_plainly(seed, **how):
    options = TrainingOptions(epochs=2, batch_size=10, seed=seed, checkpoint_seconds=0.0)
    train_tagger(TaggingData(corpus, valid=corpus), sizes, options, out, **how)


def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dies_at(number):
    """A run that ends, as by SIGKILL, at its `number`th file operation."""
    left = [number]

    def mortal(operation):
        def run(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
            return operation(*args, **kwargs)
        return run

    def work():
        for name in ("replace", "rename", "fsync", "mkdir", "unlink", "rmdir"):
            setattr(os, name, mortal(getattr(os, name)))
        files.exchange = mortal(files.exchange)
        train(7, overwrite=True) if replacing else train(7)
    return work


def weights():
    return (out / "model.safetensors").read_bytes()


def start():
    os.system(f"rm -rf '{out}' '{out}.training' {folder}/.m*")
    if replacing:
        assert forked(lambda: train(1)) == 0


start()
assert forked(lambda: train(7, overwrite=replacing)) == 0
wanted, number = weights(), 0
while True:
    number += 1
    start()
    code = forked(dies_at(number))
    if code == 0:
        break
    assert code == 9, f"operation {number}: exit code {code}"
    if out.exists():
        timeloom.load(out)  # the old model or the new one, whole
    else:
        assert not replacing, f"operation {number}: the old model is gone and the new one is not there"
    untouched = replacing and not (folder / "m.training" / "run.json").exists()
    again = (lambda: train(7, overwrite=True)) if replacing else (lambda: train(7, resume=True))
    assert forked(again) == 0, f"operation {number}: cannot go on"
    assert weights() == wanted, f"operation {number}: other bytes"
    scraps = [path.name for path in folder.iterdir() if path.name not in ("corpus.conll", "m", "m.training")]
    scraps += [path.name for path in (folder / "m.training").iterdir() if path.name.endswith(".part")]
    assert not scraps, f"operation {number}: left behind: {scraps}"
print(number - 1)
'''


@pytest.mark.parametrize("how", ["new", "replacing"])
def test_a_crash_at_every_file_operation(tmp_path: Path, how: str) -> None:
    write_conll(tmp_path / "corpus.conll")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), how],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 20
