"""Publishing a bundled model on the model hub, pinned: the manifest names the commit that holds it."""

from __future__ import annotations

import json

from httpx import HTTPError
from huggingface_hub import CommitOperationAdd, create_commit, create_repo
from huggingface_hub.errors import HFValidationError

from tbd_app.models import weights
from tbd_app.models.manifest import MANIFEST
from training.evaluation import ledger


def push(model: str, repo: str) -> None:
    """Weights, card and manifest entry to the hub in one commit, which the manifest here then names.

    The token is that of `hf auth login`, or `HF_TOKEN`.

    Raises:
        SystemExit: weights or card are not as evaluate.py leaves them, or the hub does not take them.
    """
    entry, card = ledger.entry_of(model), ledger.WEIGHTS / f"{model}.md"
    path = ledger.WEIGHTS / entry["file"]
    if not path.is_file() or weights.sha256_of(path) != entry["sha256"]:
        raise SystemExit(f"{path} is not the file that the manifest lists.")
    if not card.is_file():
        raise SystemExit(f"{model} has no card at {card}; training/evaluate.py writes it.")
    listed = {key: value for key, value in ledger.listed(entry).items() if key != "hub"}
    files = {
        path.name: path,
        "README.md": card,
        MANIFEST: (json.dumps({"schema": 2, "models": [listed]}, indent=1) + "\n").encode(),
    } | {file.name: file for file in ledger.beside(model)}
    try:
        create_repo(repo, exist_ok=True)
        commit = create_commit(
            repo,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=f"{model} {entry['sha256'][:12]}",
        )
    except (OSError, HTTPError, HFValidationError) as error:
        why = str(error).strip().splitlines()[0]
        raise SystemExit(
            f"{repo} did not take {model}: {why} A token that may write comes from `hf auth login`, or HF_TOKEN."
        ) from error
    ledger.write_entry(entry | {"hub": {"repo": repo, "revision": commit.oid}})
    print(f"{commit.commit_url}; the manifest names this commit.")
