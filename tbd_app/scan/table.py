"""The rows of a scan as one Parquet file: a row a file, an error as a row with its code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tbd_app.plain import plain
from tbd_app.scan.journal import PAGE, Row
from tbd_app.scan.sources import name_of

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("same_as", pa.string()),
        ("label", pa.string()),
        ("fake_prob", pa.float64()),
        ("votes_fake", pa.int32()),
        ("votes_real", pa.int32()),
        ("votes_abstain", pa.int32()),
        ("reasons", pa.list_(pa.string())),
        ("people", pa.int32()),
        ("kind", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("duration_s", pa.float64()),
        ("codec", pa.string()),
        ("error_code", pa.string()),
        ("error_message", pa.string()),
        ("seconds", pa.float64()),
        ("report", pa.string()),
    ]
)


def write(rows: Iterable[Row], out: Path, facts: dict[str, Any]) -> None:
    """Write all rows, in pages, and put the file in place only when it is whole.

    Args:
        rows: in the order in which they shall lie.
        out: replaced when it exists.
        facts: what all rows have in common, kept as JSON in the file's metadata under `tbd_scan`.
    """
    unfinished = out.with_name(out.name + ".part")
    schema = SCHEMA.with_metadata({"tbd_scan": json.dumps(facts)})
    rest = iter(rows)
    with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        while page := [flat(row) for row in islice(rest, PAGE)]:
            writer.write_table(pa.Table.from_pylist(page, schema=schema))
    os.replace(unfinished, out)


def flat(row: Row) -> dict[str, Any]:
    """The columns of one row; `report` is the whole report JSON, as for a file of this name, or None for an error."""
    name = name_of(row.path)
    common = {
        "path": row.path,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "same_as": row.same_as,
        "seconds": row.seconds,
    }
    if error := row.answer.get("error"):
        return plain(common | {"error_code": error["code"], "error_message": error["message"]})
    media, verdict = row.answer["media"], row.answer["verdict"]
    votes = verdict["votes"]
    report = row.answer | {"media": media | {"name": plain(name)}}
    return plain(
        common
        | {key: media[key] for key in ("kind", "width", "height", "duration_s", "codec")}
        | {key: verdict[key] for key in ("label", "fake_prob", "reasons")}
        | {f"votes_{vote}": votes[vote] for vote in ("fake", "real", "abstain")}
        | {"people": len(row.answer["people"]), "report": json.dumps(report, allow_nan=False)}
    )
