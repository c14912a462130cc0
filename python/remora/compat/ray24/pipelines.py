"""DatasetPipeline of Ray 2.4: a sequence of windows, each a Dataset, and epochs that repeat them.

Windows are transformed one at a time when they are consumed. What `window` cannot do today is to read only the blocks
of one window: the dataset before it is executed as a whole, into the object store, which spills to disk.
"""

import itertools

from ray.data import Dataset

from .notices import once

_REMOVED = "DatasetPipeline is gone from Ray, Datasets stream by themselves today: {}"
_EACH = (
    "map",
    "map_batches",
    "flat_map",
    "filter",
    "add_column",
    "drop_columns",
    "select_columns",
)
_EACH_WINDOW = {
    "repartition_each_window": "repartition",
    "random_shuffle_each_window": "random_shuffle",
    "sort_each_window": "sort",
    "randomize_block_order_each_window": "randomize_block_order",
}
_BATCHES = ("iter_rows", "iter_batches", "iter_torch_batches", "iter_tf_batches")
_WRITES = ("write_parquet", "write_csv", "write_json", "write_tfrecords", "write_datasource")


class DatasetPipeline:
    """Windows given as functions that make a Dataset; `epochs` times, None for ever."""

    def __init__(self, windows, stages=(), epochs=1):
        self._windows = list(windows)
        self._stages = tuple(stages)
        self._epochs = epochs
        self._consumed = False

    @staticmethod
    def from_iterable(iterable):
        return DatasetPipeline(iterable)

    def foreach_window(self, fn):
        return DatasetPipeline(self._windows, (*self._stages, fn), self._epochs)

    def iter_datasets(self):
        """The windows, one Dataset after the other, through all epochs."""
        for epoch in self._epoch_windows():
            yield from epoch

    def iter_epochs(self, max_epoch=-1):
        """A DatasetPipeline of one epoch after the other."""
        for number, _ in enumerate(self._numbers()):
            if 0 <= max_epoch <= number:
                return
            yield DatasetPipeline(self._windows, self._stages)

    def repeat(self, times=None):
        if self._epochs != 1:
            raise RuntimeError("repeat: the pipeline repeats already")
        return DatasetPipeline(self._windows, self._stages, times)

    def rewindow(self, *, blocks_per_window, preserve_epoch=True):
        if self._epochs is None:
            raise ValueError("rewindow: the pipeline repeats for ever; call it before repeat")
        joined = [ds for ds in DatasetPipeline(self._windows, self._stages).iter_datasets()]
        return DatasetPipeline(_windows(joined[0].union(*joined[1:]), blocks_per_window, None), (), self._epochs)

    def split(self, n, *, equal=False, locality_hints=None):
        """`n` pipelines, each with its part of every window."""
        parts = [ds.split(n, equal=equal) for ds in DatasetPipeline(self._windows, self._stages).iter_datasets()]
        return [DatasetPipeline([_constant(p[i]) for p in parts], (), self._epochs) for i in range(n)]

    def split_at_indices(self, indices):
        parts = [ds.split_at_indices(indices) for ds in DatasetPipeline(self._windows, self._stages).iter_datasets()]
        return [DatasetPipeline([_constant(p[i]) for p in parts], (), self._epochs) for i in range(len(indices) + 1)]

    def count(self):
        self._finite("count")
        return sum(ds.count() for ds in self.iter_datasets())

    def sum(self):
        self._finite("sum")
        return sum(ds.sum() for ds in self.iter_datasets())

    def take(self, limit=20):
        return list(itertools.islice(self.iter_rows(), limit))

    def take_all(self, limit=None):
        self._finite("take_all")
        rows = list(itertools.islice(self.iter_rows(), None if limit is None else limit + 1))
        if limit is not None and len(rows) > limit:
            raise ValueError(f"the pipeline has more rows than the given limit of {limit}")
        return rows

    def show(self, limit=20):
        for row in self.take(limit):
            print(row)

    def show_windows(self, limit_per_dataset=10):
        for number, ds in enumerate(self.iter_datasets()):
            print(f"=== Window {number} ===")
            ds.show(limit_per_dataset)

    def schema(self, fetch_if_missing=False):
        return next(iter(DatasetPipeline(self._windows[:1], self._stages).iter_datasets())).schema()

    def dataset_format(self):
        return next(iter(DatasetPipeline(self._windows[:1], self._stages).iter_datasets())).dataset_format()

    def iterator(self):
        return self

    def stats(self, exclude_first_window=True):
        once("DatasetPipeline.stats", _REMOVED.format("write `ds.stats()` on a materialized Dataset."))
        return ""

    def _numbers(self):
        return itertools.count() if self._epochs is None else range(self._epochs)

    def _epoch_windows(self):
        if self._consumed:
            raise RuntimeError("a DatasetPipeline can be read once; make another one, or repeat it")
        self._consumed = True
        return (self._one_epoch() for _ in self._numbers())

    def _one_epoch(self):
        for make in self._windows:
            ds = make()
            for stage in self._stages:
                ds = stage(ds)
            yield ds

    def _finite(self, name):
        if self._epochs is None:
            raise ValueError(f"{name}: the pipeline repeats for ever")


def _constant(ds):
    return lambda: ds


def _transforming(name):
    def transform(self, *args, **options):
        return self.foreach_window(lambda ds: getattr(ds, name)(*args, **options))

    return transform


def _iterating(name):
    def iterate(self, **options):
        for ds in self.iter_datasets():
            yield from getattr(ds, name)(**options)

    return iterate


def _writing(name):
    def write(self, *args, **options):
        self._finite(name)
        for ds in self.iter_datasets():
            getattr(ds, name)(*args, **options)

    return write


for _name in _EACH:
    setattr(DatasetPipeline, _name, _transforming(_name))
for _name, _whole in _EACH_WINDOW.items():
    setattr(DatasetPipeline, _name, _transforming(_whole))
for _name in _BATCHES:
    setattr(DatasetPipeline, _name, _iterating(_name))
for _name in _WRITES:
    setattr(DatasetPipeline, _name, _writing(_name))


def _windows(ds, blocks_per_window, bytes_per_window):
    """Functions that give consecutive parts of `ds`, cut between blocks."""
    ds = ds.materialize()
    blocks = [(m.num_rows, m.size_bytes or 0) for bundle in ds.iter_internal_ref_bundles() for m in bundle.metadata]
    cuts, rows, blocks_in, bytes_in = [], 0, 0, 0
    for count, size in blocks:
        full = bytes_in + size > bytes_per_window if bytes_per_window else blocks_in >= blocks_per_window
        if full and blocks_in:
            cuts.append(rows)
            blocks_in = bytes_in = 0
        rows, blocks_in, bytes_in = rows + count, blocks_in + 1, bytes_in + size
    return [_constant(part) for part in (ds.split_at_indices(cuts) if cuts else [ds])]


def window(self, *, blocks_per_window=None, bytes_per_window=None):
    """Windows of 10 blocks unless told otherwise."""
    if blocks_per_window is not None and bytes_per_window is not None:
        raise ValueError("window: give blocks_per_window or bytes_per_window, not both")
    once("Dataset.window", _REMOVED.format("all is executed first. Write `ds.iter_batches(…)` without it."))
    return DatasetPipeline(_windows(self, blocks_per_window or 10, bytes_per_window))


def repeat(self, times=None):
    once("Dataset.repeat", _REMOVED.format("write `for epoch in range(times): for batch in ds.iter_batches(…)`."))
    return DatasetPipeline([_constant(self.materialize())], (), times)


def apply(ray_data):
    Dataset.window = window
    Dataset.repeat = repeat
    ray_data.DatasetPipeline = DatasetPipeline
