"""Models are loaded beside the search for faces, and nothing waits for those that are not wanted any more."""

from __future__ import annotations

import threading

from tbd_app.errors import WeightsMissing
from tbd_app.known import MEASURED_KINDS
from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.pipeline.loading import Loading

DEFAULT = [registry.resolve(["default"], kind) for kind in MEASURED_KINDS]
OF_ANY_FILE = [name for name in DEFAULT[0] if all(name in others for others in DEFAULT)]


def test_what_is_asked_of_any_file_is_loaded_on_another_thread(monkeypatch) -> None:
    seen: list[tuple[str, str, str]] = []
    monkeypatch.setattr(
        score, "loaded", lambda name, device: seen.append((name, device, threading.current_thread().name))
    )
    with Loading() as loading:
        loading.begin(["default"], "cpu")
        loading.wait()
        assert seen == [(name, "cpu", "loading") for name in OF_ANY_FILE]
    assert len(OF_ANY_FILE) > 1
    assert len(OF_ANY_FILE) < len(registry.resolve(["default"]))


def test_an_end_waits_for_the_model_in_hand_alone(monkeypatch) -> None:
    seen: list[str] = []
    begun, goes_on = threading.Event(), threading.Event()

    def slow(name: str, _device: str) -> None:
        seen.append(name)
        begun.set()
        goes_on.wait(30)

    monkeypatch.setattr(score, "loaded", slow)
    with Loading() as loading:
        loading.begin(["default"], "cpu")
        assert begun.wait(30)
        threading.Timer(0.1, goes_on.set).start()
    assert seen == OF_ANY_FILE[:1]
    assert not any(thread.name == "loading" for thread in threading.enumerate())


def test_one_that_is_missing_does_not_keep_the_others_away(monkeypatch) -> None:
    seen: list[str] = []

    def missing(name: str, _device: str) -> None:
        seen.append(name)
        raise WeightsMissing("not here")

    monkeypatch.setattr(score, "loaded", missing)
    with Loading() as loading:
        loading.begin(["default"], "cpu")
        loading.wait()
    assert seen == OF_ANY_FILE


def test_without_a_beginning_there_is_nothing_to_wait_for() -> None:
    with Loading() as loading:
        loading.wait()
