"""The page's templates: every string is escaped."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tbd_app.languages import say
from tbd_app.report import palette, stability
from tbd_app.report import texts as words
from tbd_app.web import sentences, texts

VOTE_ICONS = {"fake": "▲", "real": "○", "abstain": "◆"}

_templates = Environment(
    loader=PackageLoader("tbd_app.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """A template of this package as HTML; it also sees all words, texts and icons."""
    return _templates.get_template(template).render(
        words=words,
        texts=texts,
        sentences=sentences,
        stability=stability,
        say=say,
        icons=palette.ICONS,
        vote_icons=VOTE_ICONS,
        **values,
    )
