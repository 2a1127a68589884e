import threading

import pytest
import torch

from tbd_app.pipeline.parallel import each


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_stand_in_the_order_of_the_rows(threads):
    assert each(lambda a, b: a * b, range(50), range(50)) == [n * n for n in range(50)]
    assert each(lambda a: a, []) == []


def test_as_many_threads_as_torch_has(threads):
    together = threading.Barrier(threads, timeout=30)  # passed only where all of them wait at once
    assert len(each(lambda _: together.wait(), range(threads))) == threads


def test_what_a_job_raises_is_raised(threads):
    with pytest.raises(ZeroDivisionError):
        each(lambda n: 1 // n, [2, 1, 0])


def test_columns_of_unequal_length_are_refused(threads):
    with pytest.raises(ValueError, match="shorter"):
        each(lambda a, b: a, [1, 2], [1])
