"""`python app.py`, the way people, Docker and Spaces start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from benchmarks.soak import Server

REPOSITORY = Path(__file__).resolve().parents[2]


def test_app_serves_from_any_folder_sweeps_what_a_crash_left_and_a_second_one_says_that_the_port_is_taken(
    tmp_path,
):
    root = tmp_path / "uploads" / f"tbd-web-{os.getuid()}"
    left = root / "crashed" / "upload.mp4"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a face")
    server = Server(tmp_path)
    try:
        answer = httpx.get(server.url)
        assert answer.status_code == 200
        assert "Truth Behind Deepfakes" in answer.text
        assert not left.exists()
        port = str(httpx.URL(server.url).port)
        env = os.environ | {"GRADIO_SERVER_PORT": port, "GRADIO_TEMP_DIR": str(server.uploads)}
        second = subprocess.run(
            [sys.executable, REPOSITORY / "app.py"], env=env, cwd=tmp_path, capture_output=True
        )
        assert second.returncode == 1
        assert f"Port {port} is in use" in second.stderr.decode()
        httpx.post(f"{server.url}gradio_api/upload", files={"files": ("a.jpg", b"a face")})
        assert any(root.rglob("a.jpg"))
        server.end(signal.SIGTERM)
        assert server.process.returncode == 0
        assert list(root.iterdir()) == []
    finally:
        server.process.kill()


def test_a_temporary_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    env = os.environ | {"GRADIO_TEMP_DIR": str(tmp_path / "file")}
    done = subprocess.run([sys.executable, REPOSITORY / "app.py"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Uploads cannot be kept in ")
    assert len(done.stderr.splitlines()) == 1
