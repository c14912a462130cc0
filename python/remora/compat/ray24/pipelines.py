"""DatasetPipeline of Ray 2.4: a sequence of windows, each a Dataset, and epochs that repeat them.

Windows are transformed one at a time when they are consumed, anew in each epoch. What `window` cannot do today is to
read only the blocks of one window: the dataset before it is executed as a whole, into the object store, which spills to
disk.

Pipelines are sent to processes that have not imported ray.data yet; it imports this module, so it is not imported here.
"""

import functools
import itertools
import types

from .notices import once
from .windows import Windows, cut, rewindowed, split

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
_READS = ("iter_rows", "iter_batches", "iter_torch_batches", "iter_tf_batches", "to_tf", "to_torch")
_WRITES = ("write_parquet", "write_csv", "write_json", "write_tfrecords", "write_datasource")


class DatasetPipeline:
    """`windows(epoch)` gives the Datasets of an epoch, counted from 0; there are `epochs` of them, None for no end.

    `length` is the number of windows in an epoch, None if it is not known; it is only shown.
    """

    __class_getitem__ = classmethod(types.GenericAlias)

    def __init__(self, windows, stages=(), epochs=1, length=None):
        self._windows = windows
        self._stages = tuple(stages)
        self._epochs = epochs
        self._length = length
        self._consumed = False

    @staticmethod
    def from_iterable(iterable):
        """A pipeline of what these functions make."""
        made = list(iterable)
        return DatasetPipeline(Windows(made), length=len(made))

    def foreach_window(self, fn):
        return DatasetPipeline(self._windows, (*self._stages, fn), self._epochs, self._length)

    def iter_datasets(self):
        """The windows, one Dataset after the other, through all epochs."""
        for number in self._numbers():
            yield from self._epoch(number)

    def iter_epochs(self, max_epoch=-1):
        """A DatasetPipeline of one epoch after the other."""
        for number in self._numbers():
            if 0 < max_epoch <= number:
                return
            yield DatasetPipeline(functools.partial(_one, self._windows, number), self._stages, 1, self._length)

    def repeat(self, times=None):
        if self._epochs != 1:
            raise RuntimeError("repeat: the pipeline repeats already")
        return DatasetPipeline(self._windows, self._stages, times, self._length)

    def rewindow(self, *, blocks_per_window, preserve_epoch=True):
        return DatasetPipeline(rewindowed(self._epoch, blocks_per_window), (), self._epochs)

    def split(self, n, *, equal=False, locality_hints=None):
        """`n` pipelines, each with its part of every window."""
        return self._split(n, lambda ds: ds.split(n, equal=equal))

    def split_at_indices(self, indices):
        return self._split(len(indices) + 1, lambda ds: ds.split_at_indices(indices))

    def _split(self, n, parts_of):
        # Without stages an epoch is like the one before.
        once_for_all = self._epochs == 1 or not self._stages
        shards = split(self._epoch, n, parts_of, once_for_all)
        return [DatasetPipeline(shard, (), self._epochs, self._length) for shard in shards]

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
        windows = itertools.count()
        for epoch in self._numbers():
            print(f"------ Epoch {epoch} ------")
            for ds in self._epoch(epoch):
                print(f"=== Window {next(windows)} ===")
                ds.show(limit_per_dataset)

    def schema(self, fetch_if_missing=False):
        return next(self._epoch(0)).schema()

    def dataset_format(self):
        return next(self._epoch(0)).dataset_format()

    def iterator(self):
        """A DatasetIterator of which each reading is the next epoch."""
        epochs = self.iter_epochs()

        def next_epoch():
            epoch = next(epochs, None)
            if epoch is None:
                raise RuntimeError(f"the iterator of the pipeline has no more epochs, there were {self._epochs}")
            return epoch.iter_datasets()

        return _stream(self, next_epoch)

    def stats(self, exclude_first_window=True):
        once("DatasetPipeline.stats", _REMOVED.format("write `ds.stats()` on a materialized Dataset."))
        return ""

    def __repr__(self):
        windows = "inf" if self._epochs is None else self._length and self._length * self._epochs
        return f"DatasetPipeline(num_windows={windows}, num_stages={1 + len(self._stages)})"

    def _numbers(self):
        """The numbers of the epochs, once."""
        if self._consumed:
            raise RuntimeError("a DatasetPipeline can be read once; make another one, or repeat it")
        self._consumed = True
        return itertools.count() if self._epochs is None else range(self._epochs)

    def _epoch(self, number):
        for ds in self._windows(number):
            for stage in self._stages:
                ds = stage(ds)
            yield ds

    def _finite(self, name):
        if self._epochs is None:
            raise ValueError(f"{name}: the pipeline repeats for ever")


def _one(windows, number, _):
    return windows(number)


def _stream(pipe, datasets):
    from .streams import PipelineIterator

    return PipelineIterator(pipe, datasets)


def _transforming(name):
    def transform(self, *args, **options):
        return self.foreach_window(lambda ds: getattr(ds, name)(*args, **options))

    return transform


def _reading(name):
    def read(self, *args, **options):
        return getattr(_stream(self, self.iter_datasets), name)(*args, **options)

    return read


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
for _name in _READS:
    setattr(DatasetPipeline, _name, _reading(_name))
for _name in _WRITES:
    setattr(DatasetPipeline, _name, _writing(_name))


def window(self, *, blocks_per_window=None, bytes_per_window=None):
    """Windows of 10 blocks unless told otherwise."""
    if blocks_per_window is not None and bytes_per_window is not None:
        raise ValueError("window: give blocks_per_window or bytes_per_window, not both")
    once("Dataset.window", _REMOVED.format("all is executed first. Write `ds.iter_batches(…)` without it."))
    return _of(cut(self, blocks_per_window or 10, bytes_per_window))


def repeat(self, times=None):
    once("Dataset.repeat", _REMOVED.format("write `for epoch in range(times): for batch in ds.iter_batches(…)`."))
    return _of([self.materialize()], times)


def _of(datasets, epochs=1):
    made = [functools.partial(_same, ds) for ds in datasets]
    return DatasetPipeline(Windows(made), (), epochs, len(made))


def _same(ds):
    return ds


def apply(ray_data):
    ray_data.Dataset.window = window
    ray_data.Dataset.repeat = repeat
    ray_data.DatasetPipeline = DatasetPipeline
