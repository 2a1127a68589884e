"""The languages of page, HTML report and command line: one table of strings for all of them.

English sentences stand in the code, where they are said. `hi.po` and `ar.po` hold the others, in gettext's format; what is
missing there is said in English. JSON, codes and names of models are English always.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

Language = Literal["en", "hi", "ar"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES: dict[Language, str] = {"en": "English", "hi": "हिन्दी", "ar": "العربية"}
_RIGHT_TO_LEFT = ("ar",)
_ISOLATED = (
    "\u2068{}\u2069"  # first strong isolate: what is between does not turn the order of what is around
)
_spoken: ContextVar[Language] = ContextVar("language", default="en")
K = TypeVar("K")


@contextmanager
def spoken(language: Language) -> Iterator[None]:
    """Within it every sentence is said in this language."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def language() -> Language:
    """The language in which sentences are said now."""
    return _spoken.get()


def direction() -> Literal["ltr", "rtl"]:
    """Where its lines begin, as HTML's `dir`."""
    return "rtl" if language() in _RIGHT_TO_LEFT else "ltr"


def say(english: str, **values: Any) -> str:
    """A sentence in the language that is spoken.

    Args:
        english: with names in braces for values, as of `str.format`; without values it is said as it is.
        values: put in; a line from right to left keeps each in its own order.
    """
    # gettext gives its own header for an empty string.
    return _filled(_table(language()).gettext(english) if english else "", values)


def say_n(one: str, many: str, n: int, **values: Any) -> str:
    """A sentence about `n` things, in the form that the language has for so many; `{n}` in it is the number."""
    return _filled(_table(language()).ngettext(one, many, n), {"n": f"{n:,}", **values})


def isolated(value: Any) -> str:
    """A value that keeps its own order, also in a line from right to left."""
    return _ISOLATED.format(value) if direction() == "rtl" and value != "" else str(value)


def _filled(sentence: str, values: Mapping[str, Any]) -> str:
    if not values:
        return sentence
    if direction() == "rtl":  # elsewhere values stay as they are, for formats in the sentence
        values = {name: isolated(value) for name, value in values.items()}
    return sentence.format(**values)


def translated(sentence: str) -> str:
    """An English sentence that is made already, such as an error's, in the language that is spoken.

    The table has it whole, or with numbers in braces, `{0}`, for what was put in; one that is not there stays English.
    """
    if language() == "en" or not sentence:
        return sentence
    if (whole := _table(language()).gettext(sentence)) != sentence:
        return whole
    for pattern, template in _made(language()):
        if found := pattern.fullmatch(sentence):
            values = [isolated(translated(value)) for value in found.groups()]
            return _table(language()).gettext(template).format(*values)
    return sentence


class Table(dict[K, str]):
    """Sentences by a code, each said in the language that is spoken when it is read."""

    def __getitem__(self, key: K) -> str:
        """The sentence of a code."""
        return say(super().__getitem__(key))

    def said(self, key: K, **values: Any) -> str:
        """The sentence of a code, with values put in."""
        return say(super().__getitem__(key), **values)

    def get(self, key: K, default: Any = None) -> Any:
        """The sentence of a code, or the default as it is."""
        return self[key] if key in self else default  # noqa: SIM401 - it is this very function

    def values(self) -> Any:
        """All sentences, in their order."""
        return [self[key] for key in self]

    def items(self) -> Any:
        """All codes with their sentences."""
        return [(key, self[key]) for key in self]


def of_visitor(asked: str, accepted: str) -> Language:
    """The language of a page.

    Args:
        asked: what the visitor chose, "" where nothing was.
        accepted: the header Accept-Language.
    """
    return _known(asked) or of_browser(accepted)


def of_environment() -> Language:
    """The language of a terminal's user, by the variables that POSIX gives for messages."""
    found = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return _known(next(filter(None, found), "")) or "en"


def of_browser(accepted: str) -> Language:
    """The language of a visitor, by the header Accept-Language: the known one that is wanted most, else English."""
    wanted: list[tuple[float, Language]] = []
    for part in accepted[:1000].split(","):
        tag, _, weight = part.partition(";q=")
        try:
            share = float(weight or 1)
        except ValueError:
            continue
        if (found := _known(tag.strip())) and share > 0:
            wanted.append((share, found))
    return max(wanted, key=lambda one: one[0])[1] if wanted else "en"


def _known(tag: str) -> Language | None:
    name = tag.replace("_", "-").partition("-")[0].partition(".")[0].lower()
    return cast(Language, name) if name in LANGUAGES else None


@lru_cache
def _table(language: Language) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    from babel.messages.mofile import write_mo  # who reads English needs neither
    from babel.messages.pofile import read_po

    with (Path(__file__).parent / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache
def _made(language: Language) -> list[tuple[re.Pattern[str], str]]:
    """Sentences with numbers in braces, the longest first, each with what matches it once values are in it."""
    catalogue = getattr(_table(language), "_catalog", {})
    numbered = [text for text in catalogue if isinstance(text, str) and "{0}" in text]
    return [
        (re.compile(re.sub(r"\\\{\d\\\}", "(.*?)", re.escape(text)), re.DOTALL), text)
        for text in sorted(numbered, key=len, reverse=True)
    ]
