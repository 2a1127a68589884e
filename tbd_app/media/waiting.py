"""Children that wait: one for any file, and one that has a file already and waits for the next job on it. See `sandbox`."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator

from tbd_app.media.child import About, Child

KEPT_S = 3.0  # a child waits for the next job on its file
_lock = threading.Lock()
_spare: Child | None = None
_kept: Child | None = None  # it has a file, and waits for the next job on it
_held = 0  # how many ask that no child be started in advance
_wanted = ""  # for which module one should have been


def spare(module: str) -> Child:
    """The child that waits for a job of this module, or a new one."""
    global _spare
    with _lock:
        child, _spare = _spare, None
    if (
        child is not None
        and (child.module, child.owner) == (module, os.getpid())
        and child.process.poll() is None
    ):
        return child
    if child is not None:
        child.end()
    return Child(module)


def take(about: About | None) -> Child | None:
    """The child that has this file already, if it still waits."""
    global _kept
    with _lock:
        if about is None or _kept is None or _kept.about != about or _kept.process.poll() is not None:
            return None
        child, _kept = _kept, None
        return child


def keep(child: Child, about: About) -> None:
    """Lets a child wait for the next job on its file, for a while."""
    global _kept
    with _lock:
        before, _kept = _kept, child
        child.about = about
    if before is not None and before.owner == os.getpid():
        before.end()
    timer = threading.Timer(KEPT_S, _let_go, [child])
    timer.daemon = True
    timer.start()


def _let_go(child: Child) -> None:
    global _kept
    with _lock:
        if _kept is not child:
            return
        _kept = None
    child.end()


def leave_one(module: str) -> None:
    """Starts the child of the next run, unless one waits already, or later, where its start would slow others down."""
    global _spare, _wanted
    with _lock:
        if _held:
            _wanted = module
        else:
            _spare = _spare or Child(module)


@contextlib.contextmanager
def start_later() -> Iterator[None]:
    """Meanwhile no child is started in advance; at the end of the last such block one is, while the caller goes on."""
    global _held, _wanted
    with _lock:
        _held += 1
    try:
        yield
    finally:
        with _lock:
            _held -= 1
            module, _wanted = ("", _wanted) if _held else (_wanted, "")
        if module:
            threading.Thread(target=_leave_one_unless_ending, args=[module], daemon=True).start()


def _leave_one_unless_ending(module: str) -> None:
    with contextlib.suppress(RuntimeError):  # the interpreter ends and starts nothing any more
        leave_one(module)


@atexit.register
def close() -> None:
    """Ends the children that wait, if there are any."""
    global _spare, _kept
    with _lock:
        children, _spare, _kept = (_spare, _kept), None, None
    for child in children:
        if child is not None and child.owner == os.getpid():
            child.end()
