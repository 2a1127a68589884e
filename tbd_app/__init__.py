"""TBD (Truth Behind Deepfakes): is the face in this video, zip of frames or image manipulated?

from tbd_app import analyze
report = analyze("clip.mp4")
print(report.verdict.label, report.to_dict())
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Before torch is loaded, which reads them once: its waiting threads sleep after so many turns. By default they spin 300,000
# times, and beside two busy programs on two cores an analysis then takes several times as long (benchmarks/threads.py
# compares numbers of turns). Who sets one of the two variables is left alone.
SPINS = 1_000
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=str(SPINS))

if TYPE_CHECKING:
    from tbd_app.pipeline.analyze import analyze, analyze_events
    from tbd_app.types import Report

__version__ = "0.2.0"
__all__ = ["Report", "__version__", "analyze", "analyze_events"]


def __getattr__(name: str) -> Any:
    # Lazy: the decoding process and `tbd --help` import this package and must not pay for torch.
    if name in ("analyze", "analyze_events"):
        from tbd_app.pipeline import analyze as module

        return getattr(module, name)
    if name == "Report":
        from tbd_app.types import Report

        return Report
    raise AttributeError(f"module 'tbd_app' has no attribute {name!r}")
