"""Methods of Dataset that are gone or mean something else, and pipelines."""

import logging
import random
import time
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import ray.data
from ray.data.aggregate import AggregateFn, Count, Mean, Sum
from ray.data.grouped_dataset import GroupedDataset


def test_sort():
    ds = ray.data.from_items([2, 1, 3])
    assert ds.sort().take_all() == [1, 2, 3]
    assert ds.sort(descending=True).take_all() == [3, 2, 1]
    assert ds.sort(lambda v: -v).take_all() == [3, 2, 1]
    rows = ray.data.from_items([{"a": 2}, {"a": 1}])
    assert rows.sort("a").take_all() == [{"a": 1}, {"a": 2}]
    with pytest.raises(ValueError, match="give its name"):
        rows.sort()


def test_order_after_sort():
    def slow_at_first(value):
        if value < 2:
            time.sleep(0.5)  # the other block is done before
        return value

    assert ray.data.from_items([3, 1, 2, 0], parallelism=2).sort().map(slow_at_first).take_all() == [0, 1, 2, 3]


def test_zip_and_union():
    ds = ray.data.range(2)
    assert ds.zip(ds.map(lambda v: -v)).take_all() == ds.zip(other=ds.map(lambda v: -v)).take_all() == [(0, 0), (1, -1)]
    assert sorted(ds.union(ds).take_all()) == [0, 0, 1, 1]


def test_aggregates_of_plain_objects():
    ds = ray.data.range(4)
    assert (ds.sum(), ds.min(), ds.max(), ds.mean()) == (6, 0, 3, 1.5)
    assert ds.sum(lambda v: v * 2) == 12
    assert ray.data.range_table(4).sum("value") == 6


def test_aggregations_of_no_column():
    assert ray.data.range(4).aggregate(Count(), Sum(), Mean()) == (4, 6, 1.5)
    assert ray.data.range_table(4).aggregate(Sum("value")) == {"sum(value)": 6}


def test_random_shuffle():
    ds = ray.data.range(8, parallelism=1).random_shuffle(seed=1, num_blocks=4)
    assert ds.num_blocks() == 4 and ds.take_all() != sorted(ds.take_all()) == list(range(8))


def test_aggregate_functions_need_no_name():
    total = AggregateFn(init=lambda key: 0, merge=lambda a, b: a + b, accumulate_row=lambda a, row: a + row)
    assert ray.data.range(4).aggregate(total) == (6,)
    column = AggregateFn(lambda key: 0, lambda a, b: a + b, lambda a, row: a + row["value"], name="total")
    assert ray.data.range_table(4).aggregate(column) == {"total": 6}


def test_consumption(capsys):
    ds = ray.data.range(3)
    assert list(ds.iter_rows()) == [0, 1, 2]
    with pytest.raises(ValueError):
        ds.take_all(limit=2)
    ds.show(1)
    assert capsys.readouterr().out == "0\n"
    assert ds.to_pandas().equals(pd.DataFrame({"value": [0, 1, 2]}))
    with pytest.raises(ValueError):
        ds.to_pandas(limit=2)
    assert ray.get(ds.repartition(1).to_pandas_refs())[0]["value"].tolist() == [0, 1, 2]
    assert ray.get(ds.repartition(1).to_arrow_refs())[0].column_names == ["value"]
    assert ray.get(ds.repartition(1).to_numpy_refs())[0].tolist() == [0, 1, 2]
    assert ray.get(ray.data.range_tensor(1).to_numpy_refs())[0].tolist() == [[0]]
    assert ray.get(ray.data.range_table(1).to_numpy_refs())[0]["value"].tolist() == [0]


def test_objects_keep_their_type():
    items = [(1, "a"), [1], {1}, {"k": (1,)}, None, 2**70, 1.5]
    assert ray.data.from_items(items).take_all() == items
    assert ray.data.range(2).map(lambda v: (v, [v])).map(lambda t: (t[1], t[0])).take_all() == [([0], 0), ([1], 1)]


def test_schema():
    assert ray.data.range(2).schema() is int
    assert ray.data.range_table(2).schema() == pa.schema([("value", pa.int64())])
    frames = ray.data.range_table(2).map_batches(lambda frame: frame)
    assert frames.schema() == (["value"], [np.dtype("int64")]) and frames.schema().names == ["value"]


def test_state():
    ds = ray.data.range(4, parallelism=2)
    assert ds.lazy() is ds
    assert not ds.is_fully_executed()
    done = ds.fully_executed()
    assert done.is_fully_executed() and done.take_all() == [0, 1, 2, 3]
    assert ds.cache().num_blocks() == ds.num_blocks() == 2
    assert len(ds.get_internal_block_refs()) == 2
    assert ds.size_bytes() > 0


@pytest.mark.parametrize(
    "consume",
    [
        lambda ds: ds.count(),
        lambda ds: ds.size_bytes(),
        lambda ds: ds.num_blocks(),
        lambda ds: ds.to_pandas(),
        lambda ds: ds.to_pandas_refs(),
        lambda ds: ds.get_internal_block_refs(),
    ],
    ids=["count", "size_bytes", "num_blocks", "to_pandas", "to_pandas_refs", "get_internal_block_refs"],
)
def test_what_was_executed_is_kept(consume):
    ds = ray.data.range(4, parallelism=2).map(lambda v: random.random())
    consume(ds)
    assert ds.is_fully_executed()
    rows = ds.take_all()
    assert ds.map(lambda v: v).take_all() == rows == ds.to_pandas()["value"].tolist()


def test_to_modin_and_back():
    frame = ray.data.range_table(4).to_modin()
    assert type(frame).__module__.startswith("modin.") and frame["value"].sum() == 6
    assert ray.data.from_modin(frame).map(lambda row: row["value"]).take_all() == [0, 1, 2, 3]
    assert ray.data.range(3).to_modin()["value"].tolist() == [0, 1, 2]


def test_default_batch_format():
    assert ray.data.range(1).default_batch_format() is list
    assert ray.data.range_tensor(1).default_batch_format() is np.ndarray
    assert ray.data.range_table(1).default_batch_format() is pd.DataFrame


def test_dataset_format():
    assert ray.data.range(1).dataset_format() == "simple"
    assert ray.data.range_table(1).dataset_format() == "arrow"
    assert ray.data.from_pandas(pd.DataFrame({"a": [1]})).map_batches(lambda b: b).dataset_format() == "pandas"


def test_window(notices):
    ds = ray.data.range(8, parallelism=4)
    with pytest.warns(notices.RayAPIWarning, match="Dataset.window"):
        pipe = ds.window(blocks_per_window=2)
    seen = []
    for window in pipe.map(lambda v: v + 1).iter_datasets():
        seen.append(window.take_all())
    assert seen == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert ds.window(bytes_per_window=1).count() == 8
    assert ds.window(blocks_per_window=3).sum() == 28
    with pytest.raises(ValueError, match="not both"):
        ds.window(blocks_per_window=1, bytes_per_window=1)


def test_repeat(notices):
    ds = ray.data.range(3)
    with pytest.warns(notices.RayAPIWarning, match="Dataset.repeat"):
        assert ds.repeat(2).take_all() == [0, 1, 2] * 2
    assert ds.repeat().take(7) == [0, 1, 2, 0, 1, 2, 0]
    with pytest.raises(ValueError, match="for ever"):
        ds.repeat().count()
    pipe = ds.window(blocks_per_window=1).repeat(2)
    assert [epoch.take_all() for epoch in pipe.iter_epochs()] == [[0, 1, 2]] * 2


def test_pipeline_iterates_batches_and_writes(tmp_path):
    pipe = ray.data.range_table(4, parallelism=2).window(blocks_per_window=1)
    frames = list(pipe.map_batches(lambda f: f * 2).iter_batches(batch_size=2))
    assert [f["value"].tolist() for f in frames] == [[0, 2], [4, 6]]
    ray.data.range_table(4, parallelism=2).window(blocks_per_window=1).write_parquet(str(tmp_path))
    assert ray.data.read_parquet(str(tmp_path)).count() == 4
    with pytest.raises(RuntimeError, match="read once"):
        list(pipe.map(lambda r: r).iter_rows()), list(pipe.iter_rows()), list(pipe.iter_rows())


def test_pipeline_of_shuffled_windows():
    pipe = ray.data.range(6, parallelism=2).window(blocks_per_window=1)
    each = pipe.random_shuffle_each_window().sort_each_window().repartition_each_window(1)
    assert each.take_all() == [0, 1, 2, 3, 4, 5]
    parts = ray.data.range(6, parallelism=2).window(blocks_per_window=2).split(2)
    assert sorted(v for p in parts for v in p.iter_rows()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["iter_rows", "iter_batches"])
def test_prefetch_blocks(notices, name):
    with pytest.warns(notices.RayAPIWarning, match="prefetch_batches"):
        assert list(getattr(ray.data.range(1), name)(prefetch_blocks=1))
    notices._seen.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", notices.RayAPIWarning)
        getattr(ray.data.range(1), name)(prefetch_blocks=0)


def test_to_torch_of_an_iterator(notices):
    with pytest.warns(notices.RayAPIWarning, match="prefetch_batches"), pytest.raises(ImportError, match="torch"):
        ray.data.range_table(1).iterator().to_torch(prefetch_blocks=1)


def test_iterator():
    it = ray.data.range_table(2).iterator()
    assert isinstance(next(iter(it.iter_batches())), pd.DataFrame)
    assert list(it.iter_rows()) == [{"value": 0}, {"value": 1}]


def test_generic():
    def first(ds: ray.data.Dataset[int], pipe: ray.data.DatasetPipeline[int]) -> GroupedDataset[int]:
        pass

    class Numbers(ray.data.Datasource[int]):
        pass

    assert issubclass(Numbers, ray.data.Datasource)


def test_shown():
    ds = ray.data.range(4, parallelism=2)
    assert str(ds) == "Dataset(num_blocks=2, num_rows=4, schema=<class 'int'>)"
    assert repr(ray.data.from_items([(1, 2)])) == "Dataset(num_blocks=1, num_rows=1, schema=<class 'object'>)"
    assert str(ds.zip(ds)).endswith(f"+- {ds}")
    assert f"{ds.iterator()}" == f"DatasetIterator({ds})"
    names = [f"column_{i}" for i in range(8)]
    wide = ray.data.from_items([dict.fromkeys(names, 1.0)]).map(lambda row: row).filter(lambda row: True)
    columns = ",\n".join(f"            {name}: double" for name in names)
    assert str(wide) == f"""Filter(<lambda>)
+- Map(<lambda>)
   +- Dataset(
         num_blocks=1,
         num_rows=1,
         schema={{
{columns}
         }}
      )"""
    kept = ds.map(lambda v: {"v": v}).materialize()
    assert str(kept) == "Dataset(num_blocks=2, num_rows=4, schema={v: int64})"


def test_functions_exceptions_are_caught_by_their_type(caplog):
    class OwnError(Exception):
        pass

    def fail(value):
        raise OwnError("too few") if value else ValueError("too many")

    for value, kind in ((0, ValueError), (1, OwnError)):
        with caplog.at_level(logging.ERROR), pytest.raises(kind, match="too"):
            ray.data.from_items([value]).map(fail).take_all()
    assert "internal code" not in caplog.text and "Traceback" not in caplog.text


def test_advice_for_todays_api_is_silent(notices):
    ds = ray.data.range_table(2)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        notices.silence_advice()
        ds.map_batches(lambda b: b, num_cpus=1).zip(ds.filter(lambda row: True)).take_all()
    assert not [w for w in seen if "Ray" in w.category.__name__], [str(w.message) for w in seen]
