"""What a file says of its own origin, read in the confined child: `of(media, settings) -> dict or None`; see `origin`."""

from __future__ import annotations

from typing import Any

from tbd_app.errors import InputError
from tbd_app.media import answers, sandbox
from tbd_app.media.readers import READERS
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Media


def of(media: Media, settings: AnalysisSettings) -> dict[str, Any] | None:
    """What a file says of its origin, as `report/schema.json` describes it; None where nothing could be read.

    Whatever goes wrong costs only this.
    """
    job = READERS[media.content.reader].origin
    if job is None:
        return None
    trust = settings.trust
    try:
        info, _ = sandbox.run(
            job,
            settings.limits,
            path=str(media.path.absolute()),
            format_name=media.content.format,
            trusted=trust.pem if trust else "",
        )
        said = answers.provenance(info, with_list=trust is not None)
    except InputError:
        return None
    if trust is not None:
        said["manifest"]["trust_list"] |= trust.named()
    return said
