"""What a process that decodes a stranger's bytes gives up before it reads the first of them.

`rest` is called by a child that waits for an order, `give_up` when it has one, before it parses anything. Each layer that
the system does not have is named and stops nothing; docs/security.md says what is left open.

Source: Linux's Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tbd_app.media import syscalls
from tbd_app.settings import Limits

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same number on every machine
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights over files that a version of Landlock knows, and from which version on it knows TCP and scopes.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP_FROM, _SCOPES_FROM = 4, 6

Layers = dict[str, str]


def hide() -> None:
    """Keep other processes of this user from reading or steering this one; for a server, which then leaves no core file."""
    if platform.system() == "Linux":
        _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def rest(parent: int) -> Layers:
    """What a child can give up before it knows its file.

    Args:
        parent: process that started it; without it the child ends at once.

    Returns:
        Each layer with "", or with a phrase that says why it is absent.
    """
    if platform.system() != "Linux":
        return dict.fromkeys(("end with the parent", "no new privileges", "network of its own"), "not Linux")
    libc = _libc()
    layers = {
        "end with the parent": _answer(libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)),
        "no new privileges": _answer(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
        "network of its own": _answer(libc.unshare(_CLONE_NEWNET)),
    }
    if layers["network of its own"]:  # who is no administrator may become one of nothing
        layers["network of its own"] = _answer(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET))
    readable()  # now, while nobody waits
    if os.getppid() != parent:
        os._exit(1)  # it ended before the first line above
    return layers


def give_up(limits: Limits, cpu_s: float, file: int | None) -> Layers:
    """All that is left to give up, for good. Threads that were started before keep their view of the disk.

    Args:
        limits: of memory.
        cpu_s: seconds of all threads together.
        file: descriptor of the one file that may be opened again, by `/proc/self/fd/N`, or None.

    Returns:
        As `rest`.
    """
    layers = {
        "memory, time and file size": _resources(limits, cpu_s),
        "Landlock": "not Linux",
        "seccomp": "not Linux",
    }
    if platform.system() == "Linux":
        try:
            layers["Landlock"] = _landlock(file)
        except OSError as error:
            layers["Landlock"] = str(error.strerror)
        layers["seccomp"] = syscalls.install()
    return layers


@cache
def readable() -> list[Path]:
    """Folders and files of the interpreter, of installed packages, of this package and of the system's libraries."""
    named = [*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))]
    named += [path for path in sys.path if path.endswith(("-packages", ".zip", "lib-dynload"))]
    named += ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"]
    named += [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
    found = {Path(path).resolve() for path in named if path and os.path.exists(path)}
    return sorted(found | {Path(__file__).resolve().parents[1]})


def _resources(limits: Limits, cpu_s: float) -> str:
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is the only bound
        return "not here"
    for what, bound in (
        (resource.RLIMIT_AS, int(limits.decode_memory_mb * 1e6)),
        (resource.RLIMIT_CPU, max(1, round(cpu_s))),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        soft = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        # A second more, or the end by time would look like any other kill.
        hard = soft + (what == resource.RLIMIT_CPU and hard != soft)
        resource.setrlimit(what, (soft, hard))
    return ""


def _landlock(file: int | None) -> str:
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return os.strerror(ctypes.get_errno())
    every = (1 << _FILE_RIGHTS.get(version, max(_FILE_RIGHTS.values()))) - 1
    attributes = struct.pack(
        "QQQ", every, 3 if version >= _TCP_FROM else 0, 3 if version >= _SCOPES_FROM else 0
    )
    size = 24 if version >= _SCOPES_FROM else 16 if version >= _TCP_FROM else 8
    rules = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        return os.strerror(ctypes.get_errno())
    try:
        _allow(libc, rules, readable())
        if file is not None:
            _add_rule(libc, rules, file, _READ_FILE)
        return _answer(libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:  # what this user may not reach it needs no rule for
            continue
        try:
            _add_rule(libc, rules, place, _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE)
        finally:
            os.close(place)


def _add_rule(libc: ctypes.CDLL, rules: int, place: int, rights: int) -> None:
    under_path = 1
    libc.syscall(_ADD_RULE, rules, under_path, struct.pack("=Qi", rights, place), 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _answer(code: int) -> str:
    return "" if code == 0 else os.strerror(ctypes.get_errno())
