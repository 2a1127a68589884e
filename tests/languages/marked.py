"""What page, report and command line mark to be said in other languages: read from their code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

import tbd_app
from tbd_app.report import texts

ROOT = Path(tbd_app.__file__).parent
CALLS = ("say", "Table")
Marked = str | tuple[str, str]  # a sentence, or its singular and plural in English


def marked() -> set[Marked]:
    """Every sentence that is marked."""
    found: set[Marked] = set()
    for path in [*ROOT.glob("report/*.py"), *ROOT.glob("cli/*.py"), *ROOT.glob("web/*.py")]:
        found.update(_in_code(path))
    for path in [*ROOT.glob("report/*.html"), *ROOT.glob("web/templates/*.html")]:
        source = path.read_text(encoding="utf-8")
        for _, _, text in extract_from_ast(Environment(autoescape=True).parse(source), ("say",)):
            found.update([text] if isinstance(text, str) else filter(None, (text or ())[:1]))
        found.update(getattr(texts, name) for name in re.findall(r"say\(texts\.([A-Z_]+)\)", source))
    return found


def _in_code(path: Path) -> Iterator[Marked]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        said = [
            arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        ]
        if name == "say_n" and len(said) > 1:
            yield said[0], said[1]
        elif name == "counted" and said:
            plural = said[1] if len(said) > 1 else f"{said[0]}s"
            yield f"{{n}} {said[0]}", f"{{n}} {plural}"
        elif name in CALLS and call.args:
            yield from _strings(call.args[0], constants)
        elif name == "map" and call.args and getattr(call.args[0], "id", "") == "say":
            yield from ("Person", "Seen", "Model", "Score", "Vote", "Real below", "Fake from")


def _strings(node: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """The sentences of an argument: a string, one of two, a table's values, or a constant of the module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body, constants)
        yield from _strings(node.orelse, constants)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _strings(value, constants)
    elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "texts":
        yield getattr(texts, node.attr)
    elif isinstance(node, ast.Name) and node.id in constants:
        yield from _strings(constants[node.id], constants)
