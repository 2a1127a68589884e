"""Models loaded on a thread of their own while faces are still looked for, so that the first analysis waits less for them."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType

from tbd_app.errors import TBDError
from tbd_app.known import MEASURED_KINDS
from tbd_app.models import registry
from tbd_app.pipeline import score


class Loading:
    """Begins when it is told to, and ends with the `with` that it stands in: behind the model that is in hand."""

    def __init__(self) -> None:
        self._stop = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> Loading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self.wait()

    def begin(self, asked: Sequence[str], device: str) -> None:
        """Load the models that are asked for whatever the file is; one that cannot be loaded is passed over here.

        Args:
            asked: names, "default" or "all", as of `registry.resolve`.
            device: "cpu" or "cuda".
        """
        of_kinds = [registry.resolve(asked, kind) for kind in MEASURED_KINDS]
        names = [name for name in of_kinds[0] if all(name in others for others in of_kinds)]
        self._thread = Thread(target=self._load, args=(names, device), name="loading")
        self._thread.start()

    def wait(self) -> None:
        """Return when they are there."""
        if self._thread is not None:
            self._thread.join()

    def _load(self, names: Sequence[str], device: str) -> None:
        for name in names:
            if self._stop.is_set():
                return
            try:
                score.loaded(name, device)
            except (TBDError, MemoryError, RuntimeError):
                continue  # who asks for its score meets the same error, and says so
