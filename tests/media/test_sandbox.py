import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tbd_app.errors import CorruptMedia, DecodeTimeout, FileMissing, TooLong
from tbd_app.media import confined, rights, sandbox, syscalls, waiting
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
    waiting = the_one_that_waits()
    second, _ = sandbox.run(jobs.whoami, LIMITS)
    assert first["pid"] != second["pid"] == waiting
    sandbox.close()
    assert not children()


def test_a_child_serves_one_file_until_it_gives_pictures(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_bytes(b"content")
    first, _ = sandbox.run(jobs.read_file, LIMITS, path=str(one))
    assert sandbox.run(jobs.read_file, LIMITS, path=str(one))[0] == first
    assert sandbox.run(jobs.read_file, LIMITS, path=str(other))[0]["pid"] != first["pid"]
    again, _ = sandbox.run(jobs.read_file, LIMITS, path=str(one))
    assert again["pid"] != first["pid"]  # the one before ended when another file came
    seen, pictures = sandbox.run(jobs.picture_of, LIMITS, path=str(one))
    assert (seen["pid"], len(pictures)) == (again["pid"], 1)
    assert again["pid"] not in children()
    one.write_bytes(b"content that was changed")
    assert sandbox.run(jobs.read_file, LIMITS, path=str(one))[0]["pid"] != again["pid"]


def test_a_child_that_keeps_a_file_lets_go_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "KEPT_S", 0.05)
    path = tmp_path / "one"
    path.write_bytes(b"content")
    kept, _ = sandbox.run(jobs.read_file, LIMITS, path=str(path))
    ends = time.monotonic() + 10
    while kept["pid"] in children() and time.monotonic() < ends:
        time.sleep(0.02)
    assert kept["pid"] not in children()


def test_no_child_is_started_in_advance_while_that_would_slow_others_down():
    sandbox.close()
    with sandbox.start_later():
        with sandbox.start_later():
            first, _ = sandbox.run(jobs.whoami, LIMITS)
            assert not children()
        assert not children()
    spare = the_one_that_waits()
    assert sandbox.run(jobs.whoami, LIMITS)[0]["pid"] == spare != first["pid"]


def test_waiting_child_that_was_killed_is_replaced():
    sandbox.run(jobs.whoami, LIMITS)
    os.kill(the_one_that_waits(), signal.SIGKILL)
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


@pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
def test_each_right_is_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"a secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        args = {"parent": os.getpid(), "folder": str(tmp_path), "outside": str(outside)}
        tried, _ = sandbox.run(jobs.use_rights, LIMITS, port=server.getsockname()[1], **args)
    assert {name: answer for name, answer in tried.items() if answer != "refused"} == {}
    assert len(tried) > 20
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"a secret"]


@pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
def test_every_layer_is_reported():
    layers, _ = sandbox.run(confined.layers, LIMITS)
    assert {"Landlock", "seccomp", "no new privileges", "end with the parent", "network of its own"} <= set(
        layers
    )
    assert layers["no new privileges"] == layers["end with the parent"] == ""


def test_a_system_without_landlock_and_seccomp_still_works_and_says_so(monkeypatch):
    # The child is the same code on a kernel that answers "no such call": here its table names no machine.
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "vax")
    assert syscalls.install() == "no table for Linux on vax"
    monkeypatch.setattr(rights, "_CREATE_RULESET", 100_000)
    assert rights._landlock(None) == os.strerror(errno.ENOSYS)


def test_the_job_gets_the_file_itself_and_may_open_it_twice(tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(b"x" * 99)
    info, _ = sandbox.run(jobs.read_file, LIMITS, path=str(path))
    assert info["bytes"] == [99, 99]
    assert str(tmp_path) not in info["path"]
    with pytest.raises(FileMissing):
        sandbox.run(jobs.read_file, LIMITS, path=str(tmp_path))


def test_the_environment_is_a_short_list(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    sandbox.close()
    seen, _ = sandbox.run(jobs.environment, LIMITS)
    assert not {"HF_TOKEN", "HOME", "USER"} & set(seen)


def test_a_budget_of_processor_time_ends_it_before_the_clock():
    with pytest.raises(DecodeTimeout, match="of the processor"):
        sandbox.run(jobs.burn, LIMITS, cpu_s=1)


def test_a_child_outlives_the_thread_that_asked_for_it():
    thread = threading.Thread(target=lambda: sandbox.run(jobs.whoami, LIMITS))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert alive(the_one_that_waits())


def test_works_from_another_folder_that_shadows_modules(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    sandbox.close()
    assert sandbox.run(jobs.echo, LIMITS, shapes=[], value=1)[0]["value"] == 1


def test_child_dies_with_its_parent():
    code = (
        "from tbd_app.media import sandbox; from tbd_app.settings import Limits\n"
        "from tests.media import sandbox_jobs as jobs\n"
        "sandbox.run(jobs.hang, Limits())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 30
    while (
        len(children(parent.pid)) < 2 and time.monotonic() < deadline
    ):  # the one that works, the one that waits
        time.sleep(0.05)
    born = children(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while any(map(alive, born)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(born) == 2
    assert not any(map(alive, born))


def children(of: int | None = None) -> list[int]:
    """Child processes of a process, by default the sandbox's of this one, which runs many tests."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid for pid, parent in parents.items() if parent == (of or os.getpid())]
    return found if of else [pid for pid in found if b"tbd_app.media.confined" in command_of(pid)]


def the_one_that_waits() -> int:
    """The only child. While a process changes into its program, the system shows it without a command for a moment."""
    ends = time.monotonic() + 10
    while len(children()) != 1 and time.monotonic() < ends:
        time.sleep(0.02)
    (pid,) = children()
    return pid


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
