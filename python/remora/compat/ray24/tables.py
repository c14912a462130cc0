"""Consumption, aggregation, state and the lost methods of Dataset as in Ray 2.4."""

from collections import namedtuple

import numpy as np
import pandas as pd
import pyarrow as pa
from ray.data import Dataset
from ray.data._internal.logical.operators import InputData
from ray.data.aggregate import AggregateFnV2, Count
from ray.data.dataset import MaterializedDataset

from . import batches
from .datasets import is_plain, map_rows
from .notices import drop, once
from .patching import method
from .plain import PLAIN, PLAIN_IN_TABLE, TENSOR, row_in, unpack

_map_batches = Dataset.map_batches
_materialize = Dataset.materialize
_schema = Dataset.schema
PandasBlockSchema = namedtuple("PandasBlockSchema", ["names", "types"])
PREFETCH = {"prefetch_blocks": "`prefetch_blocks` has no meaning any more; write `prefetch_batches=…`."}


def as_table(ds):
    """`ds` with plain objects as the column that 2.4 made of them; decided block by block, where the data is."""
    return _map_batches(ds, _table_of, batch_size=None, batch_format=None)


def _table_of(block):
    names = block.column_names if hasattr(block, "column_names") else block.columns
    return batches.batch_in(block, "pandas") if list(names) == [PLAIN] else block


def keep(ds):
    """Executes `ds` now; what is derived from it later starts from its blocks, as in 2.4."""
    if not isinstance(ds, MaterializedDataset) and not is_kept(ds):
        done = _materialize(ds)
        ds._logical_plan, ds._cache, ds._in_stats = done._logical_plan, done._cache, done._in_stats


def is_kept(ds):
    return isinstance(ds._logical_plan.dag, InputData)


def of_objects(aggregation):
    """Turns an aggregation of no column, such as Sum(), to the plain objects; not a copy, its parts are bound to it."""
    if isinstance(aggregation, AggregateFnV2) and not isinstance(aggregation, Count):
        aggregation._target_col_name = aggregation._target_col_name or PLAIN
    return aggregation


def apply(ray_data):
    _consumption()
    _aggregation()
    _state()
    _lost()


def _consumption():
    @method(Dataset)
    def take(today, self, limit=20):
        return [row_in(r) for r in today(self, limit)]

    @method(Dataset)
    def take_all(today, self, limit=None):
        return [row_in(r) for r in today(self, limit)]

    @method(Dataset)
    def show(today, self, limit=20):
        for row in self.take(limit):
            print(row)

    @method(Dataset)
    def iter_rows(today, self, **options):
        drop(options, PREFETCH)
        return (row_in(r) for r in today(self, **options))

    @method(Dataset)
    def to_pandas(today, self, limit=None):
        keep(self)
        frame = today(self, limit)
        if list(frame.columns) == [PLAIN]:
            return pd.DataFrame({PLAIN_IN_TABLE: [unpack(v) for v in frame[PLAIN].tolist()]})
        return batches.nanoseconds(frame)

    @method(Dataset)
    def to_numpy_refs(today, self, *, column=None):
        keep(self)
        if column is None:
            column = {(PLAIN,): PLAIN_IN_TABLE, (TENSOR,): TENSOR}.get(tuple(self.columns() or ()))
        return today(as_table(self) if is_plain(self) else self, column=column)

    for name in ("to_pandas_refs", "to_arrow_refs", "to_modin", "to_dask", "to_spark"):
        _exported(name)

    @method(Dataset)
    def schema(today, self, fetch_if_missing=True):
        schema = today(self, fetch_if_missing)
        if schema is None:
            return None
        if list(schema.names) == [PLAIN]:
            first = self.take(1)
            return type(first[0]) if first else None
        schema = schema.base_schema
        return schema if isinstance(schema, pa.Schema) else PandasBlockSchema(list(schema.names), list(schema.types))


def _exported(name):
    @method(Dataset, name)
    def exported(today, self, *args, **options):
        keep(self)
        return today(as_table(self) if is_plain(self) else self, *args, **options)


def _aggregation():
    for name in ("sum", "min", "max", "mean", "std"):
        _aggregate(name)

    @method(Dataset)
    def aggregate(today, self, *aggregations):
        if not is_plain(self):
            return today(self, *aggregations)
        result = today(self, *map(of_objects, aggregations))
        return tuple(result.values()) if isinstance(result, dict) else result


def _aggregate(name):
    @method(Dataset, name)
    def aggregate(today, self, on=None, *args, **options):
        if callable(on):
            return today(map_rows(self, on), PLAIN, *args, **options)
        if on is None and is_plain(self):
            on = PLAIN
        return today(self, on, *args, **options)


def _state():
    for name in ("count", "size_bytes"):
        _measured(name)

    @method(Dataset)
    def num_blocks(today, self):
        if isinstance(self, MaterializedDataset):
            return today(self)
        # The number is known only after execution today.
        keep(self)
        return len(self._execute().block_refs)

    @method(Dataset)
    def get_internal_block_refs(today, self):
        keep(self)
        return today(self)

    def is_fully_executed(self):
        return isinstance(self, MaterializedDataset) or is_kept(self)

    def default_batch_format(self):
        names = list(_schema(self).names)
        return {(PLAIN,): list, (TENSOR,): np.ndarray}.get(tuple(names), pd.DataFrame)

    def dataset_format(self):
        """One of "arrow", "pandas" and "simple", by the first block."""
        from ray.data._internal.pandas_block import PandasBlockSchema

        schema = _schema(self)
        if schema is None:
            raise ValueError("dataset_format: the dataset is empty")
        if list(schema.names) == [PLAIN]:
            return "simple"
        return "pandas" if isinstance(schema.base_schema, PandasBlockSchema) else "arrow"

    Dataset.fully_executed = lambda self: self.materialize()
    Dataset.is_fully_executed = is_fully_executed
    Dataset.default_batch_format = default_batch_format
    Dataset.dataset_format = dataset_format
    Dataset.cache = lambda self: self.materialize()
    Dataset.lazy = lambda self: self


def _measured(name):
    @method(Dataset, name)
    def measured(today, self):
        if self._logical_plan.dag.input_dependencies:  # more than a read, of which Ray may know it without the data
            keep(self)
        return today(self)


def _lost():
    def to_torch(self, *, prefetch_blocks=0, **options):
        if prefetch_blocks:
            once("prefetch_blocks", PREFETCH["prefetch_blocks"])
        return as_table(self).iterator().to_torch(**options)

    Dataset.to_torch = to_torch
