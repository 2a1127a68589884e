"""Draw who imports whom, room by room, as Mermaid: `python script/imports.py > docs/imports.md`.

Walls are held by `lint-imports`; this picture only shows them. An arrow's number counts the importing modules.
"""

from __future__ import annotations

from collections import Counter

import grimp

GROUND = "ground floor"  # of tbd_app: what lies beside the rooms
COMMANDS = "commands"  # of training
PACKAGES = (
    ("tbd_app", "The app", GROUND),
    ("training", "Training", COMMANDS),
)


def arrows(package: str, outside: str) -> Counter[tuple[str, str]]:
    """How many modules of one room import from another."""
    graph = grimp.build_graph(package)
    rooms = {m for m in graph.find_children(package) if graph.find_children(m)}

    def beside(module: str) -> bool:
        return ".".join(module.split(".")[:2]) not in rooms

    def room(module: str) -> str:
        if not beside(module):
            return module.split(".")[1]
        reads = graph.find_modules_directly_imported_by(module)
        alone = outside == GROUND and not all(beside(read) for read in reads)
        return module.rpartition(".")[2].strip("_") if alone else outside

    found = {
        (room(module), room(read), module)
        for module in graph.modules
        for read in graph.find_modules_directly_imported_by(module)
    }
    return Counter((a, b) for a, b, _ in found if a != b)


def mermaid(package: str, outside: str) -> str:
    """One flow chart."""
    lines = ["```mermaid", "flowchart TD"]
    for (a, b), count in sorted(arrows(package, outside).items()):
        lines.append(f'  {a.replace(" ", "_")}["{a}"] -->|{count}| {b.replace(" ", "_")}["{b}"]')
    return "\n".join([*lines, "```"])


def page() -> str:
    """The whole of docs/imports.md."""
    parts = [
        "# Who imports whom",
        "Made by `python script/imports.py`; a number counts the modules that import.",
    ]
    for package, title, outside in PACKAGES:
        parts += [f"## {title} (`{package}`)", mermaid(package, outside)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(page())
