"""The Ray engine gives the rows of the local one, on a cluster of two machines, one of whose workers is killed."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tbd_app.scan.run import scan
from tests.scan.test_scan import SETTINGS, STUB, made, scored, space  # noqa: F401 - a fixture

ray = pytest.importorskip("ray", reason="the extra 'scale' is not installed")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch):
    """Two machines of one CPU each, as far as Ray knows."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    small = {"num_cpus": 1, "object_store_memory": 300 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=small | {"include_dashboard": False})
    cluster.add_node(**small)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="warning")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_rows_are_those_of_the_local_engine_though_a_worker_is_killed(space, cluster) -> None:  # noqa: F811
    died = space / "died"
    texts = {f"{i}.mp4": f"score {i / 20}" for i in range(12)} | {"k.mp4": f"die {died}", "r.mp4": "refuse"}
    clips = made(space / "clips", texts | {"x.mp4": "crash", "z.mp4": "die always"})
    (clips / "same.mp4").write_bytes((clips / "3.mp4").read_bytes())
    rows = {}
    for engine in ("ray", "local"):
        out = space / f"{engine}.parquet"
        scan([f"file://{clips}"], out, SETTINGS, engine=engine, workers=1, analysis=STUB)
        rows[engine] = [row | {"seconds": 0} for row in pq.read_table(out).to_pylist()]
        if engine == "ray":
            assert died.exists()
            assert scored(space).keys() == {f"{i}.mp4" for i in range(12)} | {"k.mp4"}
            assert all(times <= 2 for times in scored(space).values())
    assert len(rows["ray"]) == 17
    assert rows["ray"] == rows["local"]
    assert {row["error_code"] for row in rows["ray"]} == {
        None,
        "corrupt_media",
        "internal_error",
        "worker_died",
    }
    assert [Path(row["same_as"]).name for row in rows["ray"] if row["same_as"]] == ["3.mp4"]
