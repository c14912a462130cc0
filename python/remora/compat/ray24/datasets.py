"""Transformations of Dataset with the defaults of Ray 2.4."""

import dataclasses
import types

from ray.data import ActorPoolStrategy, Dataset, Datasource
from ray.data._internal.logical.interfaces import LogicalPlan
from ray.data.datasource import Reader
from ray.data.grouped_data import GroupedData
from ray.data.random_access_dataset import RandomAccessDataset

from . import batches, strategies
from .patching import method
from .plain import PLAIN, pack, row_in, row_out

_map_batches = Dataset.map_batches
_map = Dataset.map
_drop = Dataset.drop_columns
_SORT_KEY = "__sort_key__"


def map_batches(
    ds, fn, *, batch_size="default", compute=None, batch_format="default", zero_copy_batch=False, **options
):
    """2.4's `map_batches`: batches of at most 4096 rows of one block, writable unless `zero_copy_batch`."""
    batch_format = batches.check_format(batch_format)
    bundles = batch_size != "default"
    size = batch_size if bundles else batches.DEFAULT_BATCH_SIZE
    writable = not zero_copy_batch and size is not None
    compute = _compute(compute, fn, options)
    mapped = _map_batches(
        ds,
        batches.batch_udf(fn, batch_format, writable, _on_actors(compute)),
        batch_size=size,
        compute=compute,
        batch_format=None,
        zero_copy_batch=not writable,
        **options,
    )
    if bundles:
        return mapped
    # Today blocks are joined up to the batch size; 2.4 did so only for a size that the script gave.
    dag = dataclasses.replace(mapped._logical_plan.dag, min_rows_per_bundled_input=None)
    return Dataset._from_parent(ds, LogicalPlan(dag, ds.context))


def is_plain(ds):
    """Whether rows are plain objects. Executes up to the first block if its columns are not known."""
    return list(ds.columns() or ()) == [PLAIN]


def map_rows(ds, fn):
    """`map` of plain objects for this package's own use."""
    return _map(ds, batches.map_udf(fn))


def _compute(compute, fn, options):
    compute = strategies.resolve(compute, fn)
    if compute is None and isinstance(fn, type) and options.get("concurrency") is None:
        return ActorPoolStrategy(1)
    return compute


def _on_actors(compute):
    return isinstance(compute, ActorPoolStrategy)


def apply(ray_data):
    # They were generic, which annotations and bases of classes show.
    for cls in (Dataset, GroupedData, Datasource, Reader, RandomAccessDataset):
        cls.__class_getitem__ = classmethod(types.GenericAlias)

    @method(Dataset, "map_batches")
    def _batches(today, self, fn, **options):
        return map_batches(self, fn, **options)

    for name, adapt in (("map", batches.map_udf), ("flat_map", batches.flat_map_udf), ("filter", batches.filter_udf)):
        _rows(name, adapt)

    @method(Dataset)
    def add_column(today, self, col, fn, *, compute=None, batch_format="pandas", **options):
        if not callable(fn):
            raise ValueError(f"`fn` must be callable, got {fn!r}")

        def assign(frame):
            if batch_format != "pandas":
                return frame | {col: fn(frame)}
            frame[col] = fn(frame)
            return frame

        return map_batches(self, assign, batch_format=batch_format, compute=compute, **options)

    @method(Dataset)
    def drop_columns(today, self, cols, *, compute=None, **options):
        names = [cols] if isinstance(cols, str) else cols
        options |= {"batch_size": None, "batch_format": None, "zero_copy_batch": True}
        # Today's makes Arrow of DataFrames, and null of NaN.
        return map_batches(self, lambda block: block.drop(columns=names), compute=compute, **options)

    @method(Dataset)
    def select_columns(today, self, cols, *, compute=None, **options):
        strategies.resolve(compute)
        if isinstance(cols, list) and len(cols) == 1 and callable(cols[0]):
            return map_rows(self, cols[0])
        return today(self, cols, **options)

    @method(Dataset)
    def sort(today, self, key=None, descending=False, **options):
        if key is None:
            if not is_plain(self):
                raise ValueError("sort: rows of a table are sorted by a column; give its name as `key`")
            return today(self, PLAIN, descending, **options)
        if not callable(key):
            return today(self, key, descending, **options)
        keyed = _map(self, lambda row: {_SORT_KEY: pack(key(row_in(row))), **row})
        return _drop(today(keyed, _SORT_KEY, descending, **options), [_SORT_KEY])

    @method(Dataset)
    def random_shuffle(today, self, *, seed=None, num_blocks=None, **options):
        shuffled = today(self, seed=seed, **options)
        return shuffled if num_blocks is None else shuffled.repartition(num_blocks)

    @method(Dataset)
    def zip(today, self, *others, other=None):
        others = others if other is None else (other,)
        zipped = today(self, *others)
        if not (is_plain(self) and all(is_plain(o) for o in others)):
            return zipped
        return _map(zipped, lambda row: row_out(tuple(row_in({PLAIN: v}) for v in row.values())))


def _rows(name, adapt):
    @method(Dataset, name)
    def transform(today, self, fn=None, *, compute=None, **options):
        if fn is None:
            return today(self, compute=strategies.resolve(compute), **options)
        compute = _compute(compute, fn, options)
        return today(self, adapt(fn, _on_actors(compute)), compute=compute, **options)
