"""Gradio's page with private files: an upload has a name that only its visitor knows, and no answer says where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from tbd_app.errors import FileMissing
from tbd_app.web import texts, uploads
from tbd_app.web.edge import Waiting


class Page(gr.Blocks):
    """Blocks that take uploads by the names that they were given and say no path of the server.

    They take no address either: Gradio would download one before any handler sees it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting = Waiting()

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As Gradio's, for names of uploads."""
        inputs = traverse(inputs, _server_file, is_file_obj_with_meta)
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)

    async def postprocess_data(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As Gradio's, with names in place of paths."""
        return traverse(await super().postprocess_data(*args, **kwargs), _named_file, is_file_obj_with_meta)


def _server_file(file: dict[str, Any]) -> dict[str, Any]:
    """A file of a request where it lies; one that is named by an address or a path is refused."""
    path = str(file["path"])
    if is_http_url_like(path):
        raise gr.Error(texts.NO_URLS, print_exception=False)
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise gr.Error(f"{FileMissing.code}: {texts.NOT_ARRIVED}", print_exception=False)
    return {**file, "path": str(uploads.temp_dir() / path)}


def _named_file(file: dict[str, Any]) -> dict[str, Any]:
    """A file of an answer by its name."""
    return {
        k: uploads.outside(v) if k in ("path", "url") and isinstance(v, str) else v for k, v in file.items()
    }
