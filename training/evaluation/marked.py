"""Pages of which one part is written by a command, between two lines that enclose it."""

from __future__ import annotations


def replaced(page: str, marks: tuple[str, str], content: str) -> str:
    """The page with this content between its marks.

    Raises:
        SystemExit: a mark is missing.
    """
    begin, end = marks
    if begin not in page or end not in page:
        raise SystemExit(f"The page lacks the lines that enclose what is written into it: {begin} and {end}.")
    head, rest = page.split(begin, 1)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end, 1)[1]}"
