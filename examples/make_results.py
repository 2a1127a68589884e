"""Make the stored results that the page shows for the examples: `python examples/make_results.py`.

To be run again after a change of version, weights or combination; a test says so.
"""

from __future__ import annotations

from pathlib import Path

from tbd_app import analyze
from tbd_app.web import stored, texts

HERE = Path(__file__).resolve().parent
N_FRAMES = 12


def main() -> None:
    """Write a report with its pictures beside each clip."""
    for name in texts.EXAMPLE_FILES:
        report = analyze(HERE / name, n_frames=N_FRAMES)
        path = HERE / f"{name}{stored.SUFFIX}"
        stored.save(report, path)
        print(f"{path.name}: {report.verdict.label}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
