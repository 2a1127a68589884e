"""JSON that people read: as many values a line as fit, so that a model of the manifest is a paragraph and not two pages."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 126


def compact(value: Any, depth: int = 0, taken: int = 0) -> str:
    """JSON text of plain data.

    Args:
        value: dicts, lists and what JSON knows.
        depth: characters before each further line.
        taken: characters that the first line holds already, behind those.
    """
    flat = json.dumps(value, ensure_ascii=False)
    if depth + taken + len(flat) < WIDTH or not value or not isinstance(value, dict | list):
        return flat
    named = isinstance(value, dict)
    keys = [f"{json.dumps(key)}: " for key in value] if named else [""] * len(value)
    members = []
    for key, inner in zip(keys, value.values() if named else value, strict=True):
        before = len(key) if members else len(key) + taken  # the first one follows the bracket
        members.append(key + compact(inner, depth + 1, before))
    lines, used = [members[0]], taken + len(members[0])
    for member in members[1:]:
        if "\n" in lines[-1] + member or depth + used + len(member) > WIDTH - 4:
            lines.append(member)
            used = 0
        else:
            lines[-1] += f", {member}"
        used += len(member) + 2
    begin, end = "{}" if named else "[]"
    return begin + f",\n{' ' * (depth + 1)}".join(lines) + end
