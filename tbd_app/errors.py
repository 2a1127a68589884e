"""Errors that speak to the user: a stable code, one sentence, and where it applies the limit and the value.

The command line turns them into a line and an exit code, the web page into a message, HTTP into a JSON object.
"""

from __future__ import annotations


class TBDError(Exception):
    """Base of every error that a user can cause or act upon.

    Attributes:
        code: stable machine-readable name, snake_case.
        message: one sentence for a person.
        limit: the bound that was passed, or None.
        value: what was found, in the unit of `limit`, or None.
    """

    code = "error"

    def __init__(self, message: str, *, limit: float | None = None, value: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.limit = limit
        self.value = value

    def to_dict(self) -> dict[str, object]:
        """The `error` object of the report JSON."""
        out: dict[str, object] = {"code": self.code, "message": self.message}
        if self.limit is not None:
            out["limit"] = self.limit
        if self.value is not None:
            out["value"] = self.value
        return out


class Unexpected(TBDError):
    """A fault of this program, met with one input."""

    code = "internal_error"

    @classmethod
    def of(cls, error: Exception) -> Unexpected:
        """What an exception that nobody foresaw is called."""
        return cls(f"Unexpected failure: {type(error).__name__}: {error}")


class WorkerDied(TBDError):
    """The process that analysed an input ended, each time it was tried."""

    code = "worker_died"


class InputError(TBDError):
    """The given file cannot be analysed (exit code 2)."""

    code = "bad_input"


class FileMissing(InputError):
    """There is no file of that name."""

    code = "file_missing"


class EmptyFile(InputError):
    """The file holds nothing."""

    code = "empty"


class NotMedia(InputError):
    """The file is no video, picture or zip of frames."""

    code = "not_media"


class TooLarge(InputError):
    """The file is larger than is allowed."""

    code = "too_large"


class TooLong(InputError):
    """The video is longer than is allowed."""

    code = "too_long"


class TooManyPixels(InputError):
    """A picture or frame has more pixels than are allowed."""

    code = "too_many_pixels"


class TooManyFrames(InputError):
    """A zip or video holds more frames than are allowed."""

    code = "too_many_frames"


class UnpackRatio(InputError):
    """A zip unpacks to many times its size, as zip bombs do."""

    code = "unpack_ratio"


class EncryptedZip(InputError):
    """The zip asks for a password."""

    code = "encrypted_zip"


class UnsafeZipPath(InputError):
    """A name in the zip leads out of it."""

    code = "unsafe_zip_path"


class NestedZip(InputError):
    """The zip holds another zip."""

    code = "nested_zip"


class CorruptMedia(InputError):
    """The file is damaged, or its decoder failed."""

    code = "corrupt_media"


class DecodeTimeout(InputError):
    """The decoder took longer than is allowed."""

    code = "decode_timeout"


class NoRoom(TBDError):
    """The disk has no room for another file, or may not be written to."""

    code = "no_room"


class BadSetting(TBDError):
    """A setting is not what it must be."""

    code = "bad_setting"


class DeviceMissing(BadSetting):
    """The device that was asked for is not in this machine."""

    code = "device_missing"


class UnknownModel(TBDError):
    """No model is registered under that name."""

    code = "unknown_model"


class WeightsMissing(TBDError):
    """A model's weights are not on this machine."""

    code = "weights_missing"


class WeightsCorrupt(TBDError):
    """A model's weights are damaged, or not those that are listed."""

    code = "weights_corrupt"


class WrongBackbone(WeightsCorrupt):
    """Trained weights were to be put on another public network than the one they were trained on."""

    code = "wrong_backbone"
