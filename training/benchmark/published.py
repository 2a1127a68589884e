"""Published figures to stand beside measured ones, row for row; nothing of them was measured here.

Video-level AUC of models trained on FaceForensics++ c23, unless the note says otherwise. Compare only what has the same
training set, compression and protocol.

A key SET/METHOD is one method's fakes against all reals of the set, as a set of its own in the field's tables (FSh); ffpp
alone means its other four methods, which is how the field counts it.

Source: logs and tables of the reference thesis on CLIP (its model was chosen on DFDC's test media), the reference reports,
the SelfBlendedImages README and its issue 12, and Han et al., DFD-FCG, CVPR 2025; GenD's by a third party's list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Published(NamedTuple):
    """A figure of a paper or a report: frame and video AUC, accuracy, each None where it gives none, and a note."""

    video_auc: float | None = None
    frame_auc: float | None = None
    accuracy: float | None = None
    note: str = ""


_DFDC = "chosen on this test set"
_SHORT = "8 frames; shorter videos left out"
_LONG = "32 frames; shorter videos left out"
_LSTM = "10 frames; random split"
_M2TR = "random split of clips; figures of single frames"
_SBI = "trained on reals and self-blends alone"
_GEND = "GenD's training; as a third party lists it"
APART = "FaceShifter"  # the field counts it as a set of its own
WITHOUT = f"without {APART}"
FSH = f"ffpp/{APART}"

# Model -> data set (as the builders of extract_faces.py name it) -> figure.
PUBLISHED: dict[str, dict[str, Published]] = {
    "clip_b16_ln1": {
        "dfdc": Published(0.837, 0.804, note=_DFDC),
        "dfdcp": Published(0.866, 0.821),
        "dfd": Published(0.962, 0.919),
        "ffpp": Published(0.996, 0.962),
        "uadfv": Published(0.985, 0.963),
        "celebdf2": Published(0.890, 0.818),
        FSH: Published(0.744, 0.687),
    },
    "clip_b16_ln2": {
        "dfdc": Published(0.823, 0.791, note=_DFDC),
        "dfdcp": Published(0.949, 0.908),
        "dfd": Published(0.959, 0.916),
        "ffpp": Published(0.974, 0.949),
        "uadfv": Published(0.995, 0.981),
        "celebdf2": Published(0.817, 0.766),
        FSH: Published(0.844, 0.768),
    },
    "clip_l14_ln1": {
        "dfdc": Published(0.886, 0.853, note=_DFDC),
        "dfdcp": Published(0.892, 0.849),
        "dfd": Published(0.982, 0.947),
        "ffpp": Published(0.998, 0.976),
        "uadfv": Published(0.994, 0.984),
        "celebdf2": Published(0.950, 0.879),
        FSH: Published(0.857),
    },
    "clip_b16_stan": {
        "dfdc": Published(0.793, note=f"{_SHORT}; {_DFDC}"),
        "ffpp": Published(0.968, note=_SHORT),
        "dfdcp": Published(0.809, note=_SHORT),
        "celebdf2": Published(0.841, note=_SHORT),
        "uadfv": Published(0.981, note=_SHORT),
        "dfd": Published(0.928, note=_SHORT),
        FSH: Published(0.715, note=_SHORT),
    },
    "effnet_b0_timesformer_legacy": {
        "dfdc": Published(0.718, note=_DFDC),
        "dfdcp": Published(0.850),
        "dfd": Published(0.860),
        "ffpp": Published(0.982),
        "uadfv": Published(0.784),
        "celebdf2": Published(0.787),
        FSH: Published(0.716),
    },
    "dfd_fcg_l14": {
        "celebdf2": Published(0.950),
        "wilddeepfake": Published(0.872),
        "dfdc": Published(0.818),
    },
    "xception": {
        "celebdf2": Published(0.816),
        "dfd": Published(0.896),
        "uadfv": Published(0.963),
        FSH: Published(0.600),
    },
    "m2tr_swin": {"ffpp/Deepfakes": Published(frame_auc=0.9915, note=_M2TR)},
    "m2tr_b4": {"ffpp": Published(frame_auc=0.9708, note=f"20 of 90 epochs; {_M2TR}")},
    "effnet_b4": {
        "celebdf2": Published(0.808),
        "dfdc": Published(0.724),
        "dfdcp": Published(0.680),
        "dfd": Published(0.862),
    },
    "effnet_vit_base": {"ffpp": Published(accuracy=0.999), "celebdf2": Published(0.678, accuracy=0.624)},
    "effnet_vit_robust": {"ffpp": Published(accuracy=0.998), "celebdf2": Published(0.676, accuracy=0.617)},
    "effnet_b0_lstm": {
        "ffpp": Published(accuracy=0.948, note=_LSTM),
        "uadfv": Published(accuracy=0.92, note=_LSTM),
        "celebdf1": Published(accuracy=0.62, note=_LSTM),
    },
    "resnext50_lstm": {
        "ffpp": Published(accuracy=0.952, note=_LSTM),
        "uadfv": Published(accuracy=0.88, note=_LSTM),
        "celebdf1": Published(accuracy=0.70, note=_LSTM),
    },
    "swin_tiny_mean": {
        "ffpp": Published(accuracy=0.939, note=_LSTM),
        "uadfv": Published(accuracy=0.92, note=_LSTM),
        "celebdf1": Published(accuracy=0.63, note=_LSTM),
    },
    "effnet_b0_image": {"faces140k": Published(accuracy=0.99)},
}
# The same networks trained in another way, or asked about longer clips.
OTHERWISE: dict[str, dict[str, Published]] = {
    "clip_l14_ln1": {
        "celebdf2": Published(0.960, note=_GEND),
        "dfdc": Published(0.871, note=_GEND),
        "ffiw": Published(0.945, note=_GEND),
    },
    "clip_b16_stan": {
        "dfdc": Published(0.854, note=f"{_LONG}; {_DFDC}"),
        "ffpp": Published(0.967, note=_LONG),
        "dfdcp": Published(0.851, note=_LONG),
        "celebdf2": Published(0.838, note=_LONG),
        "uadfv": Published(0.991, note=_LONG),
        "dfd": Published(0.981, note=_LONG),
        FSH: Published(0.793, note=_LONG),
    },
    "effnet_b4": {
        "celebdf2": Published(0.929, note=_SBI),
        "dfd": Published(0.982, note=f"{_SBI}; raw videos"),
        "dfdc": Published(0.720, note=_SBI),
        "dfdcp": Published(0.855, note=_SBI),
        "ffiw": Published(0.832, note=_SBI),
        "ffpp/Deepfakes": Published(0.986, note=_SBI),
        "ffpp/FaceSwap": Published(0.970, note=_SBI),
        "ffpp/Face2Face": Published(0.909, note=_SBI),
        "ffpp/NeuralTextures": Published(0.825, note=_SBI),
        FSH: Published(0.835, note=_SBI),
    },
}


def rows(registered: dict[str, str], found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Measured and published figures of the same model on the same data set, with their difference.

    Args:
        registered: name in the tables -> registered name of each model.
        found: data set -> model -> figures, as `measure.figures` gives them.

    Returns:
        A row for each published figure whose set, and method, was measured.
    """
    out = []
    for name, by_model in found.items():
        for model, f in by_model.items():
            for sheet in (PUBLISHED, OTHERWISE):
                for key, known in sheet.get(registered[model], {}).items():
                    wanted, _, method = key.partition("/")
                    part = _part(f, method) if wanted == name.split()[0] else None
                    if part is not None:
                        shown = {"set": name, "model": model, "method": method}
                        out += [shown | row | {"note": known.note} for row in _compared(part, known)]
    return out


def _part(f: dict[str, Any], method: str) -> dict[str, Any] | None:
    """Figures of one method, None where it is not there, or of a set without what the field counts as another."""
    if method:
        return f["methods"].get(method)
    return None if list(f["methods"]) == [APART] else f["methods"].get(WITHOUT, f)


def _compared(f: dict[str, Any], known: Published) -> Iterator[dict[str, Any]]:
    measured = {"video_auc": f["video_auc"], "frame_auc": f["frame_auc"], "accuracy": f["accuracy_at_0.5"]}
    for figure, ours in measured.items():
        theirs = getattr(known, figure)
        if theirs is not None:
            apart = None if ours is None else round(ours - theirs, 4)
            yield {"figure": figure, "measured": ours, "published": theirs, "difference": apart}
