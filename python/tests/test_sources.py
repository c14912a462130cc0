"""Readers, writers, `ray.init`, context, modules."""

import json
import os
import pathlib
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata
from ray.data.datasource import Reader


def test_generated():
    assert ray.data.range(2).take_all() == [0, 1]
    assert ray.data.range_table(2).take_all() == ray.data.range_arrow(2).take_all() == [{"value": 0}, {"value": 1}]
    assert ray.data.range_tensor(1, shape=(2, 2)).take_all()[0].shape == (2, 2)
    assert ray.data.from_numpy(np.arange(2)).take_all() == [0, 1]
    assert ray.data.range(8, parallelism=4).num_blocks() == 4


def test_from_items():
    assert ray.data.from_items(["a", "b"]).take_all() == ["a", "b"]
    assert ray.data.from_items([{"a": 1}]).take_all() == [{"a": 1}]
    assert ray.data.from_items([{"a": 1}, 2]).take_all() == [{"a": 1}, 2]
    assert ray.data.from_items(list(range(6)), parallelism=3).num_blocks() == 3


def test_from_other_libraries():
    class Samples:  # what is asked of a data set of TensorFlow's
        def as_numpy_iterator(self):
            return iter([(1, "a"), (2, "b")])

    assert ray.data.from_tf(Samples()).take_all() == [(1, "a"), (2, "b")]
    assert ray.data.from_torch([(1, "a"), (2, "b")]).take_all() == [(1, "a"), (2, "b")]


def test_text_and_binary(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x\ny\n")
    assert ray.data.read_text(str(path)).map(str.upper).take_all() == ["X", "Y"]
    assert ray.data.read_binary_files(str(path)).take_all() == [b"x\ny\n"]
    assert ray.data.read_binary_files(str(path), include_paths=True).take_all() == [(str(path), b"x\ny\n")]
    assert ray.data.read_binary_files(str(path), output_arrow_format=True).take_all() == [{"bytes": b"x\ny\n"}]


def test_meta_provider(tmp_path, notices):
    from ray.data.datasource import DefaultFileMetadataProvider, FastFileMetadataProvider

    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.warns(notices.RayAPIWarning, match="meta_provider"):
        assert ray.data.read_csv(str(tmp_path), meta_provider=FastFileMetadataProvider()).take_all() == [{"a": 1}]
    with warnings.catch_warnings():
        warnings.simplefilter("error", notices.RayAPIWarning)
        ray.data.read_csv(str(tmp_path), meta_provider=DefaultFileMetadataProvider())


def test_read_text_errors(tmp_path, notices):
    (tmp_path / "a.txt").write_text("x\n")
    with pytest.warns(notices.RayAPIWarning, match="errors"):
        assert ray.data.read_text(str(tmp_path), errors="ignore").take_all() == ["x"]


def test_read_parquet_bulk(tmp_path):
    ray.data.range_table(3).write_parquet(str(tmp_path), try_create_dir=True)
    files = [str(p) for p in sorted(tmp_path.iterdir())]
    assert ray.data.read_parquet_bulk(files, columns=["value"]).sum("value") == 3


def test_parquet_metadata(tmp_path):
    for n in (1, 2):
        pd.DataFrame({"a": range(n)}).to_parquet(tmp_path / f"{n}.parquet")
    ds = ray.data.read_parquet(str(tmp_path))
    assert ds.count() == 3 and ds.size_bytes() > 0 and ds.schema().names == ["a"]
    assert not ds.is_fully_executed()


def test_partitions_are_columns_below_the_folder(tmp_path):
    folder = tmp_path / "kind=x" / "part=1"
    folder.mkdir(parents=True)
    pd.DataFrame({"a": [1]}).to_parquet(folder / "0.parquet")
    pd.DataFrame({"a": [2]}).to_parquet(folder / "1.parquet")
    files = [str(p) for p in sorted(folder.iterdir())]
    for paths in (str(folder), [str(folder)], str(folder.parent), f"{tmp_path}/", files[0], files):
        names = pq.ParquetDataset(paths[0] if len(paths) == 1 else paths).schema.names
        assert ray.data.read_parquet(paths).schema().names == names, paths
    assert ray.data.read_parquet(str(tmp_path)).take(1) == [{"a": 1, "kind": "x", "part": "1"}]
    assert ray.data.read_parquet_bulk(files).schema().names == ["a"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_plain_objects_are_written_as_column_value(tmp_path, kind):
    getattr(ray.data.range(3), f"write_{kind}")(str(tmp_path))
    rows = getattr(ray.data, f"read_{kind}")(str(tmp_path)).take_all()
    assert sorted(r["value"] for r in rows) == [0, 1, 2]


def test_write_numpy(tmp_path):
    ray.data.range_tensor(3).write_numpy(str(tmp_path))
    assert ray.data.read_numpy(str(tmp_path)).count() == 3


def test_block_path_provider(tmp_path):
    from ray.data.datasource import BlockWritePathProvider, DefaultBlockWritePathProvider

    class Named(BlockWritePathProvider):
        def _get_write_path_for_block(self, base_path, *, filesystem=None, block_index=None, file_format=None, **_):
            # Some make the folder themselves.
            filesystem.create_dir(base_path)
            return os.path.join(base_path, f"part-{block_index}.{file_format}")

    ds = ray.data.range_table(2, parallelism=1)
    ds.write_csv(f"file://{tmp_path}", block_path_provider=Named(), arrow_csv_args_fn=lambda: {})
    assert [p.name for p in tmp_path.iterdir()] == ["part-0.csv"]
    ds.write_json(str(tmp_path / "j"), block_path_provider=DefaultBlockWritePathProvider())
    [file] = (tmp_path / "j").iterdir()
    assert file.name.endswith("_000000.json")
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"value": 0}, {"value": 1}]


def test_write_datasource(tmp_path):
    class ToFile(Datasource):
        def write(self, blocks, ctx, path):
            count = sum(len(b) for b in blocks)
            pathlib.Path(path).write_text(str(count))
            return "ok"

        def on_write_complete(self, results):
            assert results == ["ok"]
            completed.append(True)

    completed = []
    ray.data.range_table(5, parallelism=1).write_datasource(ToFile(), path=str(tmp_path / "n"))
    assert (tmp_path / "n").read_text() == "5" and completed


class Prepared(Datasource):
    def prepare_read(self, parallelism, n):
        metadata = BlockMetadata(num_rows=n, size_bytes=None, schema=None, input_files=None, exec_stats=None)
        return [ReadTask(lambda: [pa.table({"a": list(range(n))})], metadata)]


class Created(Datasource):
    def create_reader(self, n):
        class Numbers(Reader):
            def estimate_inmemory_data_size(self):
                return None

            def get_read_tasks(self, parallelism):
                return [ReadTask(lambda: [list(range(n)), [None]], BlockMetadata(n, None, int, None, None))]

        return Numbers()


def test_read_datasource():
    assert ray.data.read_datasource(Prepared(), n=2, parallelism=1).take_all() == [{"a": 0}, {"a": 1}]
    assert ray.data.read_datasource(Created(), n=2).take_all() == [0, 1, None]
    assert ray.data.read_datasource(Created(), n=2).take(1) == [0]


def test_set_progress_bars():
    assert ray.data.set_progress_bars(True) is False
    assert ray.data.set_progress_bars(False) is True


def test_readers_where_they_are_defined():
    from ray.data.read_api import range, range_table, read_text

    assert range(1).take_all() == [0] and range_table(1).take_all() == [{"value": 0}]
    assert read_text is ray.data.read_text


def test_context(notices):
    context = ray.data.DatasetContext()
    assert not context.optimizer_enabled and context.block_splitting_enabled
    with pytest.warns(notices.RayAPIWarning, match="use_streaming_executor"):
        context.use_streaming_executor = False
    assert not context.use_streaming_executor


def test_limits():
    limits = ray.data.DatasetContext().execution_options.resource_limits
    limits.object_store_memory, limits.cpu = 10e9, 2
    assert (limits.object_store_memory, limits.cpu) == (10e9, 2)
    limits.cpu = None
    assert limits.cpu == float("inf")
    context = ray.data.DatasetContext.get_current()
    today = context.execution_options.resource_limits
    context.execution_options.resource_limits = limits
    try:
        limits.cpu = 1
        assert ray.data.range(2).map(lambda v: v).take_all() == [0, 1]
    finally:
        context.execution_options.resource_limits = today


@pytest.mark.parametrize("argument", [{"local_mode": True}, {"storage": "/tmp/x"}])
def test_init(notices, argument):
    with pytest.warns(notices.RayAPIWarning, match=next(iter(argument))):
        ray.init(ignore_reinit_error=True, **argument)
    with warnings.catch_warnings():
        warnings.simplefilter("error", notices.RayAPIWarning)
        ray.init(ignore_reinit_error=True, local_mode=False)


def test_modules():
    from ray.data.dataset_iterator import DatasetIterator
    from ray.data.dataset_pipeline import DatasetPipeline
    from ray.data.grouped_dataset import GroupedDataset
    from ray.data.datasource.file_based_datasource import DefaultBlockWritePathProvider
    from ray.data.datasource.file_meta_provider import FastFileMetadataProvider
    from ray.data.row import TableRow

    assert ray.data.datasource.FastFileMetadataProvider is FastFileMetadataProvider
    assert ray.data.datasource.DefaultBlockWritePathProvider is DefaultBlockWritePathProvider
    assert ray.data.DatasetPipeline is DatasetPipeline
    assert isinstance(ray.data.range_table(1).take(1)[0], TableRow)
    assert isinstance(ray.data.range_table(1).groupby("value"), GroupedDataset)
    assert isinstance(ray.data.range_table(1).iterator(), DatasetIterator)


def test_waiting_and_cancelling_by_the_old_names():
    ready, left = ray.wait(object_refs=[ray.put(1)], num_returns=1)
    assert ray.get(ready) == [1] and not left

    # One that cannot start: Ray 2.60 may abort the driver where a task ends while it is cancelled.
    @ray.remote(resources={"absent": 1})
    def task():
        pass

    waiting = task.remote()
    ray.cancel(object_ref=waiting)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(waiting, timeout=120)


def test_inside_tasks():
    @ray.remote(num_cpus=0)
    def task():
        return ray.data.from_items([1, 2]).take_all()

    assert ray.get(task.remote()) == [1, 2]


def test_libraries_of_today_see_todays_api():
    scope = {"__name__": "awswrangler.distributed"}
    code = """
import ray.data
rows = ray.data.range(1).take_all()
batch = next(iter(ray.data.range(1).iter_batches()))
"""
    exec(code, scope)
    assert scope["rows"] == [{"id": 0}] and list(scope["batch"]) == ["id"]
