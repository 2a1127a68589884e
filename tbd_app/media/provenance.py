"""What a file says of its own origin, read in the confined child: `of(media, limits) -> dict or None`; see `origin`."""

from __future__ import annotations

from typing import Any

from tbd_app.errors import InputError
from tbd_app.media import answers, sandbox
from tbd_app.media.readers import READERS
from tbd_app.settings import Limits
from tbd_app.types import Media


def of(media: Media, limits: Limits) -> dict[str, Any] | None:
    """What a file says of its origin, as `report/schema.json` describes it; None where nothing could be read.

    Whatever goes wrong costs only this.
    """
    job = READERS[media.content.reader].origin
    if job is None:
        return None
    try:
        info, _ = sandbox.run(job, limits, path=str(media.path.absolute()), format_name=media.content.format)
        return answers.provenance(info)
    except InputError:
        return None
