"""Consumption, aggregation, state and the lost methods of Dataset as in Ray 2.4."""

import numpy as np
import pandas as pd
from ray.data import Dataset
from ray.data.dataset import MaterializedDataset

from . import batches
from .datasets import is_plain, map_rows
from .notices import drop, once
from .patching import method
from .plain import PLAIN, PLAIN_IN_TABLE, TENSOR, row_in, unpack

_map_batches = Dataset.map_batches
_schema = Dataset.schema
PREFETCH = {"prefetch_blocks": "`prefetch_blocks` has no meaning any more; write `prefetch_batches=…`."}


def as_table(ds):
    """`ds` with plain objects as the column that 2.4 made of them; decided block by block, where the data is."""
    return _map_batches(ds, _table_of, batch_size=None, batch_format=None)


def _table_of(block):
    names = block.column_names if hasattr(block, "column_names") else block.columns
    return batches.batch_in(block, "pandas") if list(names) == [PLAIN] else block


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
        frame = today(self, limit)
        if list(frame.columns) == [PLAIN]:
            return pd.DataFrame({PLAIN_IN_TABLE: [unpack(v) for v in frame[PLAIN].tolist()]})
        return batches.nanoseconds(frame)

    for name in ("to_pandas_refs", "to_arrow_refs", "to_numpy_refs", "to_modin", "to_dask", "to_spark"):
        _exported(name)

    @method(Dataset)
    def schema(today, self, fetch_if_missing=True):
        schema = today(self, fetch_if_missing)
        if schema is None or list(schema.names) != [PLAIN]:
            return schema
        first = self.take(1)
        return type(first[0]) if first else None


def _exported(name):
    @method(Dataset, name)
    def exported(today, self, *args, **options):
        return today(as_table(self), *args, **options)


def _aggregation():
    for name in ("sum", "min", "max", "mean", "std"):
        _aggregate(name)

    @method(Dataset)
    def aggregate(today, self, *aggregations):
        result = today(self, *aggregations)
        return tuple(result.values()) if isinstance(result, dict) and is_plain(self) else result


def _aggregate(name):
    @method(Dataset, name)
    def aggregate(today, self, on=None, *args, **options):
        if callable(on):
            return today(map_rows(self, on), PLAIN, *args, **options)
        if on is None and is_plain(self):
            on = PLAIN
        return today(self, on, *args, **options)


def _state():
    @method(Dataset)
    def num_blocks(today, self):
        if isinstance(self, MaterializedDataset):
            return today(self)
        # The number is known only after execution today; the result is kept for what comes next.
        return len(self._execute().block_refs)

    def is_fully_executed(self):
        return isinstance(self, MaterializedDataset) or self._has_computed_output()

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


def _lost():
    def to_torch(self, *, prefetch_blocks=0, **options):
        if prefetch_blocks:
            once("prefetch_blocks", PREFETCH["prefetch_blocks"])
        return as_table(self).iterator().to_torch(**options)

    Dataset.to_torch = to_torch
