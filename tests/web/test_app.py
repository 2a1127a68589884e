"""`python app.py`, the way people, Docker and Spaces start it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen, seconds: float = 90) -> httpx.Response:
    for _ in range(int(seconds / 0.25)):
        assert process.poll() is None, "app.py ended"
        try:
            return httpx.get(url)
        except httpx.ConnectError:
            time.sleep(0.25)
    raise TimeoutError(url)


def test_app_serves_from_any_folder_sweeps_what_a_crash_left_and_a_second_one_says_that_the_port_is_taken(
    tmp_path,
):
    left = tmp_path / f"tbd-web-{os.getuid()}" / "crashed" / "upload.mp4"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a face")
    port = _free_port()
    env = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, REPOSITORY / "app.py"], env=env, cwd=tmp_path)
    try:
        answer = _wait_for(f"http://127.0.0.1:{port}/", process)
        assert answer.status_code == 200
        assert "Truth Behind Deepfakes" in answer.text
        assert not left.exists()
        second = subprocess.run(
            [sys.executable, REPOSITORY / "app.py"], env=env, cwd=tmp_path, capture_output=True
        )
        assert second.returncode == 1
        assert f"Port {port} is in use" in second.stderr.decode()
        httpx.post(f"http://127.0.0.1:{port}/gradio_api/upload", files={"files": ("a.jpg", b"a face")})
        root = tmp_path / f"tbd-web-{os.getuid()}"
        assert any(root.rglob("a.jpg"))
        process.terminate()
        assert process.wait(60) == 0
        assert list(root.iterdir()) == []
    finally:
        process.kill()


def test_a_temporary_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    env = os.environ | {"GRADIO_TEMP_DIR": str(tmp_path / "file")}
    done = subprocess.run([sys.executable, REPOSITORY / "app.py"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Uploads cannot be kept in ")
    assert len(done.stderr.splitlines()) == 1
