"""What a sweep says of a Dask cluster when it connects, with a client that is none."""

from types import SimpleNamespace

import pytest

from mnist_sweep.sweep.jobs import dask_executor
from mnist_sweep.sweep.jobs.dask_executor import DaskExecutor


@pytest.fixture
def cluster(monkeypatch):
    """Return a function that has the workers of a cluster offer resources."""

    def offer(*workers):
        known = {f"tcp://{n}": {"resources": offered} for n, offered in enumerate(workers)}
        client = SimpleNamespace(scheduler_info=lambda: {"workers": known})
        engine = SimpleNamespace(Client=lambda **settings: client)
        monkeypatch.setattr(dask_executor, "engine", lambda: engine)

    return offer


def test_what_no_worker_has_yet_is_said(cluster, caplog):
    cluster({"GPU": 1.0}, {"memory": 5e9})
    DaskExecutor("tcp://a:1", needs={"GPU": 2, "memory": 1e9})
    said = "a trial needs 2 GPU, and no Dask worker has more than 1: trials wait until one does"
    assert [record.getMessage() for record in caplog.records] == [said]


@pytest.mark.parametrize("workers", [(), ({"GPU": 1.0}, {})])
def test_nothing_is_said_where_a_worker_has_it_or_none_is_there_yet(cluster, caplog, workers):
    cluster(*workers)
    DaskExecutor("tcp://a:1", needs={"GPU": 1})
    assert not caplog.records
