"""The preview of the Deepfake Detection Challenge (often called DFDC in papers, sometimes DFDCP).

    dataset.json
    original_videos/643049/643049_A_001.mp4
    method_A/1224068/1224068_C/643049_1224068_C_001.mp4
    method_B/...

dataset.json has `{"method_A/.../x.mp4": {"label": "fake", "set": "train", "target_id": 1, "swapped_id": 2, ...}}`; its `set`
is the split (`train` or `test`). A folder `videos` may stand between method and person. `target_id` is the actor in the
video, `swapped_id` the one whose face was put in.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import below, read_json, refuse, unpacked
from training.collect.medium import Medium

SPLITS = ("train", "test")


def media(root: Path) -> list[Medium]:
    """Every listed video; one that is missing fails when its faces are cut."""
    home = unpacked(root, "dataset.json")
    if not (home / "dataset.json").is_file():
        refuse(__doc__, root, "dataset.json is missing.")
    out = []
    for name, entry in read_json(home / "dataset.json", __doc__).items():
        if entry.get("label") not in ("real", "fake") or entry.get("set") not in SPLITS:
            refuse(__doc__, home / "dataset.json", f"label or set of {name} is none of those known.")
        fake = entry["label"] == "fake"
        method, _, rest = name.partition("/")
        path = home / name
        if not path.is_file() and (home / method / "videos" / rest).is_file():
            path = home / method / "videos" / rest
        target = _person(entry.get("target_id"))
        out.append(
            Medium(
                root,
                below(root, path),
                "dfdcp",
                video_id=Path(name).stem,
                label=int(fake),
                split=entry["set"],
                method=method if fake else "",
                target_id=target,
                source_id=_person(entry.get("swapped_id")) if fake else target,
            )
        )
    if not any(m.path.is_file() for m in out):
        refuse(__doc__, root, f"not one of the {len(out)} listed videos is there.")
    return out


def _person(number: object) -> str:
    return "" if number is None else f"dfdcp:{number}"
