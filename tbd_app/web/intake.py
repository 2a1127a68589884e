"""An upload as it arrives: into a folder that nobody else can name, within bounds, and gone when it breaks off."""

from __future__ import annotations

import errno
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

from gradio.route_utils import GradioMultiPartParser, GradioUploadFile
from gradio.routes import file_upload_statuses
from gradio_client.utils import strip_invalid_filename_characters
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from tbd_app.errors import NoRoom
from tbd_app.settings import Edge
from tbd_app.web import texts, uploads

MAX_FILES, MAX_FIELDS = 20, 20
FULL = (errno.ENOSPC, errno.EDQUOT)


async def receive(request: Request, max_file_bytes: int, settings: Edge) -> Response:
    """Keep the files of one request.

    Returns:
        Their names, by which `uploads.claimed` finds them: a folder with a random name, a number, the user's file name.
        400 for what is no upload or has no name, 413 for too much, 507 for no room.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return _refusal(400, "bad_upload", texts.BAD_UPLOAD)
    length = request.headers.get("content-length", "")
    expected = int(length) if length.isdigit() else 0
    if expected > max_file_bytes + 1_000_000:
        return _refusal(413, "too_large", texts.UPLOAD_TOO_LARGE)
    folder, names = None, []
    try:
        await run_in_threadpool(uploads.sweep)
        await run_in_threadpool(uploads.require_room, expected or max_file_bytes, settings)
        folder = uploads.new_folder()
        names = await _kept(request, folder, max_file_bytes)
        return JSONResponse(names) if names else _refusal(400, "bad_upload", texts.BAD_UPLOAD)
    except MultiPartException as error:
        too_large = "maximum allowed size" in error.message
        return (
            _refusal(413, "too_large", texts.UPLOAD_TOO_LARGE)
            if too_large
            else _refusal(400, "bad_upload", texts.BAD_UPLOAD)
        )
    except NoRoom as error:
        return _refusal(507, error.code, error.message)
    except OSError as error:
        return (
            _refusal(507, NoRoom.code, texts.NO_ROOM)
            if error.errno in FULL
            else _refusal(500, "internal_error", texts.UNEXPECTED)
        )
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    finally:
        if folder is not None and not names:
            shutil.rmtree(folder, ignore_errors=True)


async def _kept(request: Request, folder: Path, max_file_bytes: int) -> list[str]:
    """The files in the folder under their numbers and names; an empty list where one has no name.

    Raises:
        MultiPartException: the form is damaged or too large.
        OSError: they cannot be written.
    """
    upload_id = request.query_params.get("upload_id")
    if upload_id:
        file_upload_statuses.track(upload_id)
    parser = GradioMultiPartParser(
        request.headers,
        _at_most(request, max_file_bytes + 1_000_000),
        max_files=MAX_FILES,
        max_fields=MAX_FIELDS,
        upload_dir=folder,
        upload_id=upload_id,
        upload_progress=file_upload_statuses if upload_id else None,
        max_file_size=max_file_bytes,
    )
    files = [f for f in (await parser.parse()).getlist("files") if isinstance(f, GradioUploadFile)]
    for file in files:
        file.file.close()
    if not all(file.filename for file in files):
        return []
    names = []
    for i, file in enumerate(files):
        place = folder / str(i)
        place.mkdir()
        name = strip_invalid_filename_characters(Path(file.filename or "").name, 120).strip(". ") or "file"
        Path(str(file.file.name)).rename(place / name)
        names.append(str((place / name).relative_to(uploads.temp_dir())))
    return names


async def _at_most(request: Request, n_bytes: int) -> AsyncGenerator[bytes]:
    async for chunk in request.stream():
        n_bytes -= len(chunk)
        if n_bytes < 0:
            raise MultiPartException("The form exceeded the maximum allowed size.")
        yield chunk


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"detail": f"{code}: {message}"}, status)
