"""What a file says of its origin is read offline, within bounds, and whatever it says costs nothing else."""

from __future__ import annotations

import hashlib
import http.server
import threading

import pytest
from PIL import Image, PngImagePlugin

from tbd_app import trust
from tbd_app.errors import CorruptMedia
from tbd_app.media import answers, origin, provenance
from tbd_app.media.open import open_media
from tbd_app.media.readers import READERS
from tbd_app.settings import AnalysisSettings, Limits
from tests.media_factory import encode, frames_zip, portrait_clip, portrait_frame, portrait_image

pytest.importorskip("c2pa", reason="the extra `provenance` is not installed")
from tests.media.c2pa_factory import EDITED, SIGNER, signed, trust_list

LIMITS = Limits()
SIZE = (96, 64)
MIMES = {"a.jpg": "image/jpeg", "a.png": "image/png", "a.webp": "image/webp", "a.mp4": "video/mp4"}


def media_file(path):
    return (portrait_clip if path.suffix == ".mp4" else portrait_image)(path, size=SIZE)


def read(path, reader="image", plugin="JPEG", trusted=""):
    """The job's answer, checked, without the confined process."""
    job = READERS[reader].origin
    assert job is not None
    info, arrays = job(limits=LIMITS, path=str(path), format_name=plugin, trusted=trusted)
    assert arrays == ()
    return answers.provenance(info, with_list=bool(trusted))


@pytest.mark.parametrize("name", MIMES)
def test_a_signed_file_is_intact_whoever_signed_it(tmp_path, name) -> None:
    path = signed(media_file(tmp_path / name), MIMES[name])
    plugin = {"a.jpg": "JPEG", "a.png": "PNG", "a.webp": "WEBP", "a.mp4": "mov"}[name]
    manifest = read(path, "video" if plugin == "mov" else "image", plugin)["manifest"]
    assert manifest["state"] == "intact"
    assert (manifest["signer"], manifest["program"]) == (SIGNER, "Camera of the tests 1.0")
    assert (manifest["actions"], manifest["problems"], manifest["trust_list"]) == (["c2pa.created"], [], None)
    assert not manifest["said_to_be_generated"]


def test_it_is_read_in_the_confined_process(tmp_path) -> None:
    path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg", actions=EDITED)
    said = provenance.of(open_media(path, LIMITS), AnalysisSettings())
    assert said is not None
    assert said["manifest"]["state"] == "intact"
    assert said["manifest"]["trust_list"] is None
    assert said["manifest"]["actions"] == ["c2pa.created", "c2pa.color_adjustments"]
    assert said["manifest"]["reader"].startswith("c2pa-python 0.")


@pytest.mark.parametrize("ours", [True, False], ids=["listed", "unlisted"])
def test_a_signer_is_sought_on_the_operators_list(tmp_path, monkeypatch, ours) -> None:
    listed = trust_list(tmp_path / "trust.pem", ours=ours)
    monkeypatch.setenv("TBD_C2PA_TRUST", str(listed))
    path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg")
    said = provenance.of(open_media(path, LIMITS), AnalysisSettings())
    assert said is not None
    assert (said["manifest"]["state"], said["manifest"]["signer"]) == ("intact", SIGNER)
    assert said["manifest"]["problems"] == []
    assert said["manifest"]["trust_list"] == {
        "date": "2026-01-31",
        "certificates": 1,
        "sha256": hashlib.sha256(listed.read_bytes()).hexdigest(),
        "signer_listed": ours,
    }


def test_with_a_signature_that_does_not_hold_nobody_is_called_listed(tmp_path) -> None:
    path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg")
    pem = trust.read(trust_list(tmp_path / "trust.pem")).pem
    assert read(path, trusted=pem)["manifest"]["trust_list"] == {"signer_listed": True}
    path.write_bytes(path.read_bytes().replace(b"Camera of the tests", b"Camera of somebody!"))
    manifest = read(path, trusted=pem)["manifest"]
    assert manifest["state"] == "broken"
    assert "claimSignature.mismatch" in manifest["problems"]
    assert manifest["trust_list"] == {"signer_listed": None}
    unsigned = read(media_file(tmp_path / "b.jpg"), trusted=pem)["manifest"]
    assert (unsigned["state"], unsigned["trust_list"]) == ("absent", {"signer_listed": None})


def test_a_file_that_was_changed_afterwards_is_broken(tmp_path) -> None:
    path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg")
    content = bytearray(path.read_bytes())
    content[-200] ^= 0xFF  # in the compressed picture
    path.write_bytes(content)
    manifest = read(path)["manifest"]
    assert manifest["state"] == "broken"
    assert manifest["problems"] == ["assertion.dataHash.mismatch"]


def test_a_statement_that_a_generator_made_it_is_read(tmp_path) -> None:
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    made = [{"action": "c2pa.created", "digitalSourceType": source}]
    path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg", actions=made)
    assert read(path)["manifest"]["said_to_be_generated"]


def test_a_manifest_elsewhere_is_not_fetched(tmp_path) -> None:
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote = f"http://127.0.0.1:{server.server_address[1]}/manifest.c2pa"
        path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg", remote=remote)
        assert read(path)["manifest"]["state"] == "elsewhere"
        server.shutdown()
    assert asked == []


def test_files_without_a_manifest(tmp_path) -> None:
    assert read(media_file(tmp_path / "a.jpg"))["manifest"]["state"] == "absent"
    clip = portrait_clip(tmp_path / "a.mkv", size=SIZE, n_frames=2)
    assert read(clip, "video", "matroska")["manifest"]["state"] == "absent"
    zipped = open_media(frames_zip(tmp_path / "a.zip", n_frames=2, size=SIZE), LIMITS)
    assert provenance.of(zipped, AnalysisSettings()) is None


def test_without_the_package_it_says_so(tmp_path, monkeypatch) -> None:
    def missing(name):
        raise origin.PackageNotFoundError(name)

    monkeypatch.setattr(origin, "version", missing)
    manifest = read(media_file(tmp_path / "a.jpg"))["manifest"]
    assert (manifest["state"], manifest["reader"]) == ("not_installed", None)


def test_a_broken_manifest_costs_only_itself(tmp_path) -> None:
    path = signed(media_file(tmp_path / "a.jpg"), "image/jpeg")
    content = bytearray(path.read_bytes())
    start = content.index(b"jumb")
    content[start : start + 300] = bytes(300)
    path.write_bytes(content)
    assert read(path)["manifest"]["state"] in ("not_read", "broken", "absent")


def test_camera_and_software_of_a_picture(tmp_path) -> None:
    exif = Image.Exif()
    exif[271], exif[272], exif[305] = "Maker", "Model\x1b[31m 7", "Adobe Photoshop 26.0"
    exif.get_ifd(origin.EXIF_IFD)[origin.TAKEN] = "2026:01:02 03:04:05"
    said = read(portrait_image(tmp_path / "a.jpg", exif=exif))
    assert said["metadata"] == {
        "make": "Maker",
        "model": "Model [31m 7",
        "software": "Adobe Photoshop 26.0",
        "encoder": None,
        "created": "2026:01:02 03:04:05",
    }
    assert said["hints"] == ["editor_named"]


def test_traces_of_editing_and_of_generators(tmp_path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li stEvt:action="saved"/>trainedAlgorithmicMedia</x:xmpmeta>'
    assert read(portrait_image(tmp_path / "a.jpg", xmp=xmp))["hints"] == [
        "edit_history",
        "said_to_be_generated",
    ]
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a portrait, Steps: 20, Sampler: Euler")
    assert read(portrait_image(tmp_path / "a.png", pnginfo=text), plugin="PNG")["hints"] == [
        "generator_named"
    ]


def test_camera_and_encoder_of_a_video(tmp_path) -> None:
    how = {"container_options": {"movflags": "use_metadata_tags"}}
    tags = {
        "com.apple.quicktime.make": "Maker",
        "com.apple.quicktime.model": "x" * 1000,
        "creation_time": "2026-01-02T03:04:05Z",
    }
    path = encode(tmp_path / "a.mov", [portrait_frame(0, SIZE)] * 2, tags=tags, **how)
    said = read(path, "video", "mov")
    assert said["metadata"]["make"] == "Maker"
    assert said["metadata"]["model"] == "x" * answers.MAX_WORDS
    assert said["metadata"]["created"].startswith("2026-01-02T03:04:05")
    assert said["metadata"]["encoder"].startswith("Lav")
    assert said["hints"] == ["encoded_by_a_program"]


TRUE = {"manifest": answers.manifest("absent"), "metadata": dict.fromkeys(answers.METADATA), "hints": []}


@pytest.mark.parametrize(
    "lie",
    [
        {"hints": ["is_real"]},
        {"hints": None},
        {"metadata": {}},
        {"metadata": TRUE["metadata"] | {"make": "a\x1b"}},
        {"metadata": TRUE["metadata"] | {"make": "a" * 121}},
        {"metadata": TRUE["metadata"] | {"make": ["a"]}},
        {"manifest": {}},
        {"manifest": TRUE["manifest"] | {"state": "trusted"}},
        {"manifest": TRUE["manifest"] | {"trust_list": "2026-01-01"}},
        {"manifest": TRUE["manifest"] | {"actions": ["a"] * 21}},
        {"manifest": TRUE["manifest"] | {"said_to_be_generated": 1}},
        {"manifest": TRUE["manifest"] | {"trust_list": {"signer_listed": True}}},
        {"verdict": "real"},
    ],
    ids=str,
)
def test_a_lie_of_the_confined_process_is_refused(lie) -> None:
    assert answers.provenance(TRUE) == TRUE
    with pytest.raises(CorruptMedia, match="cannot be true"):
        answers.provenance(TRUE | lie)


@pytest.mark.parametrize(
    "said", [None, {}, {"signer_listed": 1}, {"signer_listed": None, "date": "2026-01-01"}]
)
def test_of_a_list_it_says_nothing_but_who_is_on_it(said) -> None:
    true = TRUE | {"manifest": TRUE["manifest"] | {"trust_list": {"signer_listed": False}}}
    assert answers.provenance(true, with_list=True) == true
    with pytest.raises(CorruptMedia, match="cannot be true"):
        answers.provenance(true | {"manifest": TRUE["manifest"] | {"trust_list": said}}, with_list=True)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        (None, None),
        ("", None),
        (" \n\t ", None),
        (b"a\0b\xff", "a b�"),
        ("‮abc", "abc"),
        (7, "7"),
        ("\ud800x", "x"),
    ],
)
def test_what_files_say_is_made_short_and_printable(text, short) -> None:
    assert answers.clean(text) == short
