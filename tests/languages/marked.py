"""What page, report and command line mark to be said in other languages: read from their code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

import tbd_app
from tbd_app.media import sniff
from tbd_app.report import texts

ROOT = Path(tbd_app.__file__).parent
CALLS = ("say", "Table")
# Where sentences are made in English, for JSON, and said in other languages afterwards (`languages.translated`).
MADE = ("media/*.py", "pipeline/analyze.py", "pipeline/neighbours.py", "report/annotate.py", "settings.py")
SENTENCE = re.compile(r"[A-Z].* .*([.](\{0\})?|: \{\d\})", re.DOTALL)
FRAGMENTS = (
    *(
        " of {0} s",
        ", this one has {0}",
        " It holds {0}.",
        "{0} and {1} more",
        "first",
        "largest",
        "frame",
        "picture",
    ),
    *("it looks like {0}", "its content is not recognised", sniff.RAW, sniff.OTHER_ARCHIVE),
    *(name for _, _, name in sniff._OTHER_MAGIC),
)
OPERATORS = re.compile(r"TBD_|\{0\} must be")  # said to who starts the program
Marked = str | tuple[str, str]  # a sentence, or its singular and plural in English


def marked() -> set[Marked]:
    """Every sentence that is marked."""
    found: set[Marked] = set(FRAGMENTS)
    for path in [*ROOT.glob("report/*.py"), *ROOT.glob("cli/*.py"), *ROOT.glob("web/*.py")]:
        found.update(_in_code(path))
    for path in [*ROOT.glob("report/*.html"), *ROOT.glob("web/templates/*.html")]:
        source = path.read_text(encoding="utf-8")
        for _, _, text in extract_from_ast(Environment(autoescape=True).parse(source), ("say",)):
            found.update([text] if isinstance(text, str) else filter(None, (text or ())[:1]))
        found.update(getattr(texts, name) for name in re.findall(r"say\(texts\.([A-Z_]+)\)", source))
    for path in [path for pattern in MADE for path in ROOT.glob(pattern)]:
        found.update(_made(path))
    return found


def _made(path: Path) -> Iterator[str]:
    """The sentences of a module, with numbers in braces for the values in them; docstrings are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inner |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            values = (part for part in node.values if isinstance(part, ast.FormattedValue))
            numbers = {value: f"{{{n}}}" for n, value in enumerate(values)}
            text = "".join(numbers.get(part) or part.value for part in node.values)  # type: ignore[arg-type, union-attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            text = node.value
        else:
            continue
        if SENTENCE.fullmatch(text) and not OPERATORS.search(text):
            yield text


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
