"""Which files are read, by which schema, and sources of files that a script wrote."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data
from ray.data.datasource import FileBasedDatasource, FileExtensionFilter, RandomIntRowDatasource


@pytest.fixture
def evolved(tmp_path):
    """Files whose columns came, went and changed their type; Athena and Hive name theirs without an extension."""
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "000000_0")
    pq.write_table(pa.table({"a": [2.0], "b": ["y"], "c": [1.0]}), tmp_path / "20230405_1_bucket")
    pq.write_table(pa.table({"a": pa.array([3], pa.int32())}), tmp_path / "z")
    for ignored in ("_SUCCESS", ".part.crc"):
        (tmp_path / ignored).write_text("x")
    return str(tmp_path)


def test_parquet_is_read_by_the_first_files_schema(evolved):
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": None}]
    ds = ray.data.read_parquet(evolved)
    assert ds.take_all() == rows and ds.count() == 3
    assert ds.schema() == pa.schema({"a": pa.int64(), "b": pa.string()})
    assert ds.map_batches(lambda b: [str(b["a"].dtype)]).take_all() == ["int64"] * 3
    columns = ray.data.read_parquet(evolved, columns=["a", "b"]).filter(lambda row: row["a"] > 1)
    assert columns.take_all() == rows[1:]
    assert ds.select_columns(["b"]).take_all() == [{"b": row["b"]} for row in rows]


def test_parquet_of_partitions_is_read_by_the_first_files_schema(tmp_path):
    for day, columns in {"1": {"a": [1], "b": ["x"]}, "2": {"a": [2]}}.items():
        (tmp_path / f"day={day}").mkdir()
        pq.write_table(pa.table(columns), tmp_path / f"day={day}" / "000000_0")
    ds = ray.data.read_parquet(str(tmp_path))
    assert ds.take_all() == [{"a": 1, "b": "x", "day": "1"}, {"a": 2, "b": None, "day": "2"}]
    assert ray.data.read_parquet(str(tmp_path), columns=["b", "day"]).take(1) == [{"b": "x", "day": "1"}]


def test_libraries_of_today_read_parquet_as_today(evolved):
    scope = {"__name__": "awswrangler.distributed", "paths": evolved}
    code = "import ray.data\nrows = ray.data.read_parquet(paths, file_extensions=None).take_all()"
    exec(code, scope)
    assert scope["rows"][1:] == [{"a": 2.0, "b": "y", "c": 1.0}, {"a": 3}]


def test_a_partition_filter_replaces_that_of_extensions(tmp_path, evolved):
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "rows").write_text(json.dumps({"a": 1}))
    (tmp_path / "j" / "rows.csv").write_text("no JSON")
    assert ray.data.read_json(f"{tmp_path}/j/rows", partition_filter=None).take_all() == [{"a": 1}]
    extensionless = FileExtensionFilter("json", allow_if_no_extension=True)
    assert ray.data.read_json(f"{tmp_path}/j", partition_filter=extensionless).take_all() == [{"a": 1}]
    with open(tmp_path / "array", "wb") as file:
        np.save(file, np.arange(2))
    assert ray.data.read_numpy(f"{tmp_path}/array", partition_filter=None).take_all() == [0, 1]
    files = [f"{evolved}/000000_0"]
    assert ray.data.read_parquet_bulk(files, partition_filter=None).take_all() == [{"a": 1, "b": "x"}]
    assert ray.data.read_parquet_bulk(files).count() == 0


def test_file_extension_filter():
    names = ["a.JSON", "a.json.gz", "a.csv", "a"]
    assert FileExtensionFilter("json")(names) == ["a.JSON", "a.json.gz"]
    assert FileExtensionFilter(["csv"], allow_if_no_extension=True)(names) == ["a.csv", "a"]


class Lines(FileBasedDatasource):
    _FILE_EXTENSION = "txt"

    def _read_file(self, f, path, upper=False, **reader_args):
        lines = f.readall().decode().split()
        return [line.upper() for line in lines] if upper else lines


class Frames(FileBasedDatasource):
    def _read_stream(self, f, path, **reader_args):
        for line in f.readall().decode().split():
            yield pd.DataFrame({"line": [line]})


def test_read_datasource_of_files(tmp_path):
    (tmp_path / "a.txt").write_text("x\ny\n")
    assert ray.data.read_datasource(Lines(), paths=str(tmp_path)).take_all() == ["x", "y"]
    assert ray.data.read_datasource(Lines(), paths=[f"{tmp_path}/a.txt"], upper=True).take_all() == ["X", "Y"]
    assert ray.data.read_datasource(Frames(), paths=str(tmp_path), parallelism=1).count() == 2
    with pytest.raises(TypeError, match="Lines reads files; give their `paths`"):
        ray.data.read_datasource(Lines())


def test_random_rows():
    rows = ray.data.read_datasource(RandomIntRowDatasource(), n=3, num_columns=2).take_all()
    assert len(rows) == 3 and list(rows[0]) == ["c_0", "c_1"]
