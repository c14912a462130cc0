"""Readers and sources of ray.data as in Ray 2.4: what rows they give, and keyword arguments that are gone."""

from collections.abc import Mapping

import numpy as np
from ray.data import Dataset, read_api
from ray.data._internal.datasource.range_datasource import RangeDatasource
from ray.data.datasource import Partitioning

from .notices import drop
from .patching import function
from .plain import PLAIN, PLAIN_IN_TABLE, TENSOR, pack, row_out
from .sources import adapt

_GONE = {
    "meta_provider": "`meta_provider` has no meaning any more, Ray finds files and sizes itself. Remove it.",
    "errors": "`read_text(errors=…)` has no meaning any more; use `read_binary_files` and decode in `map`.",
    "arrow_open_file_args": "`arrow_open_file_args` has no meaning any more; pass a configured `filesystem=…`.",
}
# Columns of today whose values were the rows themselves.
_RENAMED = {
    "read_text": ("text", PLAIN),
    "read_numpy": ("data", TENSOR),
    "from_numpy": ("data", TENSOR),
    "from_numpy_refs": ("data", TENSOR),
}
_READERS = (
    "read_csv",
    "read_json",
    "read_images",
    "read_tfrecords",
    "read_webdataset",
    "read_mongo",
    "read_sql",
    *_RENAMED,
)
_rename = Dataset.rename_columns
_map = Dataset.map
_read_parquet = read_api.read_parquet


def _arguments(options):
    drop(options, _GONE)
    parallelism = options.pop("parallelism", None)
    if parallelism is not None and parallelism > 0:
        options.setdefault("override_num_blocks", parallelism)
    return options


def _generated(n, block_format, column, parallelism, **shape):
    source = RangeDatasource(n=n, block_format=block_format, column_name=column, **shape)
    return read_api.read_datasource(source, **_arguments({"parallelism": parallelism}))


def range_table(n, *, parallelism=-1):
    """Rows {"value": i} for i below `n`."""
    return _generated(n, "arrow", PLAIN_IN_TABLE, parallelism)


def read_parquet_bulk(paths, **options):
    """`read_parquet`: Ray no longer looks into every file first, which was what "bulk" left out."""
    return _read_parquet(paths, **{"partitioning": None, **_arguments(options)})


def apply(ray_data):
    for name in _READERS:
        _reader(ray_data, name)

    @function(ray_data, "range")
    def range_(today, n, *, parallelism=-1, **options):
        return _generated(n, "arrow", PLAIN, options.pop("override_num_blocks", parallelism))

    @function(ray_data, "range_tensor")
    def range_tensor(today, n, *, shape=(1,), parallelism=-1, **options):
        return _generated(n, "tensor", TENSOR, options.pop("override_num_blocks", parallelism), tensor_shape=shape)

    @function(ray_data, "read_parquet")
    def read_parquet(today, paths, **options):
        # Partitions were looked for below a folder that was asked for, not in its own address.
        alone = [paths] if isinstance(paths, str) else list(paths)
        if len(alone) == 1:
            scheme = Partitioning("hive", base_dir=alone[0], filesystem=options.get("filesystem"))
            options.setdefault("partitioning", scheme)
        return today(paths, **_arguments(options))

    @function(ray_data, "read_datasource")
    def read_datasource(today, datasource, **options):
        return today(adapt(datasource), **_arguments(options))

    @function(ray_data, "from_items")
    def from_items(today, items, **options):
        # Mixtures were blocks of plain objects.
        tables = all(isinstance(i, Mapping) for i in items) or all(isinstance(i, np.ndarray) for i in items)
        rows = [row_out(i) if tables else {PLAIN: pack(i)} for i in items]
        return today(rows, **_arguments(options))

    @function(ray_data, "from_torch")
    def from_torch(today, dataset):
        return ray_data.from_items(list(dataset))

    @function(ray_data, "from_tf")
    def from_tf(today, dataset):
        return ray_data.from_items(list(dataset.as_numpy_iterator()))

    @function(ray_data, "read_binary_files")
    def read_binary_files(today, paths, *, include_paths=False, output_arrow_format=False, **options):
        ds = today(paths, include_paths=include_paths, **_arguments(options))
        if output_arrow_format:
            return ds
        if include_paths:
            return _map(ds, lambda row: row_out((row["path"], row["bytes"])))
        return _rename(ds, {"bytes": PLAIN})

    ray_data.range_table = ray_data.range_arrow = range_table
    ray_data.read_parquet_bulk = read_parquet_bulk


def _reader(ray_data, name):
    @function(ray_data, name)
    def read(today, *args, **options):
        ds = today(*args, **_arguments(options))
        return _rename(ds, dict([_RENAMED[name]])) if name in _RENAMED else ds
