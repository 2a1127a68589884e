"""A file's name as people see it: nothing in it steers a terminal, turns the line round or breaks an encoding."""

from __future__ import annotations


def shown(name: str) -> str:
    r"""The name with every character that is not printable escaped, as in "a\x1b[2J.mp4" or "M\udcfcller.png".

    Bytes that are no UTF-8 come as lone surrogates (PEP 383), and marks of direction are not printable, so both are escaped.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
