"""Formats and sizes of batches, and functions on rows."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import ray.data
from ray.data import ActorPoolStrategy
from ray.data.aggregate import AggregateFn, Count, Sum


def table(n=4):
    return ray.data.from_items([{"a": i, "b": str(i)} for i in range(n)])


@pytest.mark.parametrize(
    "batch_format, kind",
    [
        ("default", "DataFrame"),
        ("native", "DataFrame"),
        ("pandas", "DataFrame"),
        ("pyarrow", "Table"),
        ("numpy", "dict"),
    ],
)
def test_formats_of_tables(batch_format, kind):
    ds = table().map_batches(lambda b: [type(b).__name__], batch_format=batch_format)
    assert set(ds.take_all()) == {kind}
    assert type(next(table().iter_batches(batch_format=batch_format))).__name__ == kind


@pytest.mark.parametrize(
    "batch_format, kind",
    [("default", "list"), (None, "list"), ("pandas", "DataFrame"), ("pyarrow", "Table"), ("numpy", "ndarray")],
)
def test_formats_of_plain_objects(batch_format, kind):
    ds = ray.data.range(3).map_batches(lambda b: [type(b).__name__], batch_format=batch_format)
    assert set(ds.take_all()) == {kind}


def test_plain_objects_are_column_value_of_tables():
    assert next(ray.data.range(3).iter_batches(batch_format="pandas"))["value"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("batch_format", ["default", "numpy"])
def test_formats_of_tensors(batch_format):
    ds = ray.data.range_tensor(4, shape=(2,)).map_batches(lambda a: a * 2, batch_format=batch_format)
    batch = next(ds.iter_batches(batch_format=batch_format))
    assert isinstance(batch, np.ndarray) and batch.tolist() == [[0, 0], [2, 2], [4, 4], [6, 6]]
    assert ds.take(1)[0].tolist() == [0, 0]


def test_unknown_format():
    with pytest.raises(ValueError, match="batch_format is 'cudf'"):
        table().map_batches(lambda b: b, batch_format="cudf")


@pytest.mark.parametrize(
    "result, rows",
    [
        (lambda b: pd.DataFrame({"x": [1]}), [{"x": 1}]),
        (lambda b: pa.table({"x": [1]}), [{"x": 1}]),
        (lambda b: {"x": np.array([1])}, [{"x": 1}]),
        (lambda b: [(1, "x"), {"k": 1}, None], [(1, "x"), {"k": 1}, None]),
        (lambda b: np.array([7, 8]), [7, 8]),
    ],
    ids=["pandas", "arrow", "dict", "list", "array"],
)
def test_what_a_batch_function_may_return(result, rows):
    assert ray.data.range(1).map_batches(result).take_all() == rows


def test_generator():
    def halves(frame):
        yield frame.iloc[:2]
        yield frame.iloc[2:]

    assert table().repartition(1).map_batches(halves).count() == 4


def test_default_size_is_4096_of_one_block():
    ds = ray.data.range_table(10_000, parallelism=1).map_batches(lambda b: [len(b)])
    assert ds.take_all() == [4096, 4096, 1808]
    small = ray.data.range_table(40, parallelism=4).map_batches(lambda b: [len(b)])
    assert small.take_all() == [10, 10, 10, 10]


def test_given_size_joins_blocks():
    ds = ray.data.range_table(40, parallelism=4).map_batches(lambda b: [len(b)], batch_size=20)
    assert ds.take_all() == [20, 20]


def test_batches_are_writable():
    def change(frame):
        frame["value"] += 1
        frame.loc[0, "value"] = 100
        return frame

    assert ray.data.range_table(2, parallelism=1).map_batches(change).take_all() == [{"value": 100}, {"value": 2}]

    def change_array(array):
        array += 1
        return array

    assert ray.data.range_tensor(1).map_batches(change_array).take_all() == [np.array([1])]


def test_arguments_of_functions():
    ds = table(2).map_batches(lambda b, x, y=0: b.assign(a=b.a + x + y), fn_args=(10,), fn_kwargs={"y": 5})
    assert [r["a"] for r in ds.take_all()] == [15, 16]


class Add:
    def __init__(self, n, m=0):
        self.n = n + m

    def __call__(self, batch):
        return [v + self.n for v in batch]


class Double:
    def __call__(self, value):
        return value * 2


@pytest.mark.parametrize("compute", ["actors", ActorPoolStrategy(1, 2), ActorPoolStrategy(min_size=1, max_size=1)])
def test_actors(compute):
    ds = ray.data.range(3, parallelism=1)
    added = ds.map_batches(Add, compute=compute, fn_constructor_args=(1,), fn_constructor_kwargs={"m": 1})
    assert added.take_all() == [2, 3, 4]


def test_functions_and_rows_on_actors():
    ds = ray.data.range(3, parallelism=1)
    assert ds.map(Double, compute="actors").take_all() == [0, 2, 4]
    assert ds.map_batches(lambda b: b[:1], compute="actors").take_all() == [0]


def test_strategy_has_positional_sizes():
    strategy = ActorPoolStrategy(2, 4, 3)
    assert (strategy.min_size, strategy.max_size, strategy.max_tasks_in_flight_per_actor) == (2, 4, 3)
    with pytest.raises(TypeError, match="multiple values"):
        ActorPoolStrategy(2, min_size=1)
    with pytest.raises(TypeError, match="at most 3"):
        ActorPoolStrategy(1, 2, 3, 4)


def test_tasks():
    assert ray.data.range(2).map(lambda v: v, compute="tasks").take_all() == [0, 1]
    with pytest.raises(ValueError, match="needs actors"):
        ray.data.range(2).map(Double, compute="tasks")
    with pytest.raises(ValueError, match="compute is 'threads'"):
        ray.data.range(2).map(lambda v: v, compute="threads")


def test_rows():
    ds = ray.data.range(4)
    assert ds.map(lambda v: v + 1).take_all() == [1, 2, 3, 4]
    assert ds.filter(lambda v: v % 2 == 0).take_all() == [0, 2]
    assert ds.flat_map(lambda v: [v] * v).take_all() == [1, 2, 2, 3, 3, 3]
    assert ds.map(lambda v: {"v": v}).take(1) == [{"v": 0}]
    assert table(2).map(lambda r: r["a"]).take_all() == [0, 1]
    assert table(1).map(lambda r: {**r.as_pydict(), "c": 1}).take_all() == [{"a": 0, "b": "0", "c": 1}]
    assert ds.map(lambda v: np.ones(2)).take(1)[0].tolist() == [1, 1]


def test_random_sample_keeps_kinds():
    assert ray.data.range(20).random_sample(1.0).take_all() == list(range(20))


def test_add_column():
    ds = table(2).add_column("c", lambda frame: frame["a"] * 2).add_column("a", lambda frame: 0)
    assert ds.take_all() == [{"a": 0, "b": "0", "c": 0}, {"a": 0, "b": "1", "c": 2}]
    assert table(1).add_column("c", lambda f: 1, compute="tasks").take_all()[0]["c"] == 1


def test_columns():
    assert table(1).drop_columns(["b"], compute="tasks").take_all() == [{"a": 0}]
    assert table(1).select_columns(cols=["b"], compute="tasks").take_all() == [{"b": "0"}]


def test_columns_of_frames_keep_nan():
    ds = table(1).add_column("n", lambda frame: np.nan)
    assert np.isnan(ds.drop_columns(["a"]).take(1)[0]["n"])
    assert np.isnan(ds.select_columns(["n"]).take(1)[0]["n"])
    assert ds.drop_columns("a", compute="actors").filter(lambda row: row["n"] > 0).count() == 0


def test_map_groups():
    ds = ray.data.from_items([{"k": i % 2, "v": i} for i in range(4)])
    out = ds.groupby("k").map_groups(lambda frame: pd.DataFrame({"k": frame.k[:1], "s": [frame.v.sum()]}))
    assert out.take_all() == [{"k": 0, "s": 2}, {"k": 1, "s": 4}]
    assert ds.groupby("k").sum("v").take_all() == [{"k": 0, "sum(v)": 2}, {"k": 1, "sum(v)": 4}]


def test_groups_of_plain_objects():
    groups = ray.data.range(5).groupby(lambda v: v % 2)
    assert groups.count().take_all() == [(0, 3), (1, 2)]
    assert groups.sum().take_all() == [(0, 6), (1, 4)]
    assert groups.max(lambda v: -v).take_all() == [(0, 0), (1, -1)]
    assert groups.map_groups(lambda values: [sum(values)]).take_all() == [6, 4]
    longest = AggregateFn(lambda key: 0, merge=max, accumulate_row=lambda so_far, value: max(so_far, value))
    assert groups.aggregate(Count(), Sum(), longest).take_all() == [(0, 3, 6, 4), (1, 2, 4, 3)]


def test_dtypes_are_numpys_and_frames_stay_frames():
    moment = datetime.datetime(2020, 1, 1, 12)
    ds = ray.data.from_items([{"i": 1, "s": "x", "t": moment}, {"i": 2, "s": "y", "t": moment}], parallelism=1)
    kinds = {"i": "int64", "s": "object", "t": "datetime64[ns]"}
    assert ds.map_batches(lambda b: [{k: str(v) for k, v in b.dtypes.items()}]).take_all() == [kinds]
    assert {k: str(v) for k, v in ds.to_pandas().dtypes.items()} == kinds
    mixed = ds.map_batches(lambda b: b.assign(o=[1, "x"], f=[np.nan, 1.0]))
    frame = next(mixed.iter_batches())
    assert frame["o"].tolist() == [1, "x"] and np.isnan(frame["f"][0])
