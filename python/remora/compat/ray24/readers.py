"""Readers and sources of ray.data as in Ray 2.4: what rows they give, and keyword arguments that are gone."""

import contextvars
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
# Those that read files of some extensions only, unless the script gave a `partition_filter`, were it None.
_FILTERED = ("read_json", "read_numpy", "read_images", "read_parquet_bulk")
_rename = Dataset.rename_columns
_map = Dataset.map
_read_parquet = read_api.read_parquet
_Parquet = read_api.ParquetDatasource
_first_files_schema = contextvars.ContextVar("_first_files_schema", default=False)


class _ParquetDatasource(_Parquet):
    """Reads all files by the schema of the first one, as 2.4 did: what lacks is null, what is more is left out, types
    are cast. Today each file is read by its own."""

    def _init_state(self, *, read_schema, file_schema, **state):
        if read_schema is None and _first_files_schema.get():
            read_schema = file_schema
        super()._init_state(read_schema=read_schema, file_schema=file_schema, **state)

    @staticmethod
    def _derive_schema(read_schema, *, file_schema, **state):
        # Ray takes a schema that was asked for as it is, without the columns of partitions.
        read_schema = None if read_schema is file_schema else read_schema
        return _Parquet._derive_schema(read_schema, file_schema=file_schema, **state)


def _arguments(options, name=None):
    drop(options, _GONE)
    if name in _FILTERED and "partition_filter" in options:
        options.setdefault("file_extensions", None)
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
    return _read_parquet(paths, **{"partitioning": None, **_arguments(options, "read_parquet_bulk")})


def apply(ray_data):
    read_api.ParquetDatasource = _ParquetDatasource
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
        # Files of any name were read, but for those with a dot or an underscore in front.
        options.setdefault("file_extensions", None)
        token = _first_files_schema.set(True)
        try:
            return today(paths, **_arguments(options))
        finally:
            _first_files_schema.reset(token)

    @function(ray_data, "read_datasource")
    def read_datasource(today, datasource, **options):
        source, options = adapt(datasource, _arguments(options))
        return today(source, **options)

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
    _where_they_are_defined(ray_data)


def _where_they_are_defined(ray_data):
    """Scripts import readers from ray.data.read_api too."""
    for name, value in list(vars(read_api).items()):
        ours = vars(ray_data).get(name)
        if callable(value) and getattr(ours, "__wrapped__", None) is value:
            setattr(read_api, name, ours)
    for name in ("range_table", "range_arrow", "read_parquet_bulk"):
        setattr(read_api, name, getattr(ray_data, name))


def _reader(ray_data, name):
    @function(ray_data, name)
    def read(today, *args, **options):
        ds = today(*args, **_arguments(options, name))
        return _rename(ds, dict([_RENAMED[name]])) if name in _RENAMED else ds
