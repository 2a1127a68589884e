"""Draw who imports whom, room by room, as Mermaid: `python script/imports.py > docs/imports.md`.

Walls are held by `lint-imports`; this picture only shows them.
"""

from __future__ import annotations

import grimp

GROUND = "ground floor"  # of tbd_app: what lies beside the rooms
COMMANDS = "commands"  # of training
PACKAGES = (
    ("tbd_app", "The app", GROUND),
    ("training", "Training", COMMANDS),
)


def arrows(package: str, outside: str) -> set[tuple[str, str]]:
    """Rooms, and the rooms that a module of theirs imports from."""
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
        (room(module), room(read))
        for module in graph.modules
        for read in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in found if a != b}


def mermaid(package: str, outside: str) -> str:
    """One flow chart."""
    lines = ["```mermaid", "flowchart TD"]
    for a, b in sorted(arrows(package, outside)):
        lines.append(f'  {a.replace(" ", "_")}["{a}"] --> {b.replace(" ", "_")}["{b}"]')
    return "\n".join([*lines, "```"])


def page() -> str:
    """The whole of docs/imports.md."""
    parts = [
        "# Who imports whom",
        "Made by `python script/imports.py`.",
    ]
    for package, title, outside in PACKAGES:
        parts += [f"## {title} (`{package}`)", mermaid(package, outside)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(page())
