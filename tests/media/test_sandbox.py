import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tbd_app.errors import CorruptMedia, DecodeTimeout, TooLong
from tbd_app.media import sandbox
from tbd_app.settings import Limits
from tests.media import sandbox_jobs as jobs

LIMITS = Limits(decode_timeout_s=60, decode_memory_mb=2000, max_decoded_mb=1)


def test_info_and_arrays_come_back():
    shapes = [[2, 3, 3], [5, 4, 3]]
    info, arrays = sandbox.run(jobs.echo, LIMITS, shapes=shapes, value="ü")
    assert info == {"value": "ü", "timeout": 60}
    assert [a.shape for a in arrays] == [(2, 3, 3), (5, 4, 3)]
    assert [np.unique(a).tolist() for a in arrays] == [[0], [1]]
    assert arrays[0].flags.writeable


def test_arrays_can_be_drawn_on_and_outlive_each_other():
    _, arrays = sandbox.run(jobs.echo, LIMITS, shapes=[[64, 64, 3]] * 3, value=0)
    arrays[1][:] = 9
    last = arrays.pop()
    del arrays
    assert np.unique(last).tolist() == [2]


def test_raw_bytes_where_no_memory_can_be_shared(monkeypatch):
    sandbox.close()
    monkeypatch.delattr(os, "memfd_create", raising=False)
    info, arrays = sandbox.run(jobs.echo, LIMITS, shapes=[[2, 3, 3], [5, 4, 3]], value=1)
    sandbox.close()
    assert info["value"] == 1
    assert [np.unique(a).tolist() for a in arrays] == [[0], [1]]
    assert arrays[0].flags.writeable


def test_every_run_has_a_child_of_its_own_and_leaves_one_waiting():
    first, _ = sandbox.run(jobs.whoami, LIMITS)
    (waiting,) = children()
    second, _ = sandbox.run(jobs.whoami, LIMITS)
    assert first["pid"] != second["pid"] == waiting
    sandbox.close()
    assert not children()


def test_waiting_child_that_was_killed_is_replaced():
    sandbox.run(jobs.whoami, LIMITS)
    os.kill(children()[0], signal.SIGKILL)
    time.sleep(0.2)
    assert sandbox.run(jobs.echo, LIMITS, shapes=[], value=3)[0]["value"] == 3


def test_child_loads_no_torch():
    info, _ = sandbox.run(jobs.modules, LIMITS)
    assert "torch" not in info["modules"]


def test_prints_do_not_break_the_answer():
    info, arrays = sandbox.run(jobs.print_and_echo, LIMITS)
    assert info == {"ok": True}
    assert len(arrays) == 1


def test_errors_cross_with_class_limit_and_value():
    with pytest.raises(TooLong, match="Too long by far") as caught:
        sandbox.run(jobs.raise_too_long, LIMITS)
    assert caught.value.to_dict() == {
        "code": "too_long",
        "message": "Too long by far.",
        "limit": 10,
        "value": 20.5,
    }


@pytest.mark.parametrize("job", [jobs.bug, jobs.crash, jobs.hog, jobs.too_many_bytes, jobs.wrong_shape])
def test_whatever_goes_wrong_in_the_child_is_a_damaged_file(job):
    with pytest.raises(CorruptMedia) as caught:
        sandbox.run(job, LIMITS)
    assert caught.value.message.endswith(".")
    sandbox.close()
    assert not children()


def test_memory_limit_is_named():
    with pytest.raises(CorruptMedia, match="more than 2000 MB") as caught:
        sandbox.run(jobs.hog, LIMITS)
    assert caught.value.limit == 2000


@pytest.mark.parametrize("job", [jobs.hang, jobs.burn])
def test_clock_ends_it(job):
    with pytest.raises(DecodeTimeout) as caught:
        sandbox.run(job, Limits(decode_timeout_s=1.5))
    assert caught.value.limit == 1.5
    sandbox.close()
    assert not children()


def test_child_writes_no_file(tmp_path):
    with pytest.raises(CorruptMedia):
        sandbox.run(jobs.write_file, LIMITS, path=str(tmp_path / "x"))
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0


def test_works_from_another_folder_that_shadows_modules(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    sandbox.close()
    assert sandbox.run(jobs.echo, LIMITS, shapes=[], value=1)[0]["value"] == 1


def test_child_dies_with_its_parent(tmp_path):
    told = tmp_path / "pid"
    os.mkfifo(told)
    code = (
        "from tbd_app.media import sandbox; from tbd_app.settings import Limits\n"
        "from tests.media import sandbox_jobs as jobs\n"
        f"sandbox.run(jobs.tell_and_hang, Limits(), path={str(told)!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    child = int(told.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


def children() -> list[int]:
    """Living child processes of this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    return [pid for pid, parent in parents.items() if parent == os.getpid()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
