"""The windows of a DatasetPipeline: how they are cut, joined, and shared among shards.

Pipelines are sent to processes that have not imported ray.data yet; it imports this module, so it is not imported here.
"""

import functools

import ray


class Windows:
    """The same windows in every epoch, given as functions that make a Dataset."""

    def __init__(self, made):
        self._made = made

    def __call__(self, epoch):
        return (make() for make in self._made)


def cut(ds, blocks_per_window, bytes_per_window=None):
    """Consecutive parts of `ds`, cut between blocks."""
    ds = ds.materialize()
    blocks = [(m.num_rows, m.size_bytes or 0) for bundle in ds.iter_internal_ref_bundles() for m in bundle.metadata]
    cuts, rows, blocks_in, bytes_in = [], 0, 0, 0
    for count, size in blocks:
        full = bytes_in + size > bytes_per_window if bytes_per_window else blocks_in >= blocks_per_window
        if full and blocks_in:
            cuts.append(rows)
            blocks_in = bytes_in = 0
        rows, blocks_in, bytes_in = rows + count, blocks_in + 1, bytes_in + size
    return ds.split_at_indices(cuts) if cuts else [ds]


def rewindowed(epoch, blocks_per_window):
    """Windows of another size, made of those that `epoch(number)` gives."""

    def windows(number):
        first, *others = epoch(number)
        return iter(cut(first.union(*others) if others else first, blocks_per_window))

    return windows


def split(epoch, n, parts_of, once_for_all):
    """`n` shards of the windows that `epoch(number)` gives, each a function of the epoch; `parts_of` cuts a window.

    `once_for_all` says that every epoch is like the first one, which is then cut here and now. Otherwise an actor
    executes a window when the first shard comes to it and keeps its parts until the last one has gone on: shards may be
    read anywhere, at once or one after the other.
    """
    if once_for_all:
        parts = [parts_of(ds) for ds in epoch(0)]
        return [functools.partial(_constant, [p[i] for p in parts]) for i in range(n)]
    splitter = ray.remote(num_cpus=0)(_Splitter).remote(epoch, parts_of, n)
    return [functools.partial(_shard, splitter, i) for i in range(n)]


def _constant(datasets, epoch):
    return iter(datasets)


def _shard(splitter, index, epoch):
    window = 0
    while (part := ray.get(splitter.part.remote(index, epoch, window))) is not None:
        yield part
        window += 1


class _Splitter:
    def __init__(self, epoch, parts_of, n):
        self._epoch = epoch
        self._parts_of = parts_of
        self._reading = {}  # the windows of an epoch, and how many were taken of them
        self._parts = {}  # by epoch and window; None after the last window
        self._reached = [(0, 0)] * n

    def part(self, index, epoch, window):
        self._reached[index] = max(self._reached[index], (epoch, window))
        behind = min(self._reached)
        self._parts = {place: parts for place, parts in self._parts.items() if place >= behind}
        self._reading = {number: reading for number, reading in self._reading.items() if number >= behind[0]}
        if (epoch, window) not in self._parts:
            self._parts[epoch, window] = self._cut(epoch, window)
        parts = self._parts[epoch, window]
        return None if parts is None else parts[index]

    def _cut(self, epoch, window):
        windows, taken = self._reading.pop(epoch, None) or (self._epoch(epoch), 0)
        if window != taken:
            raise RuntimeError(f"window {window} of epoch {epoch} was read by all shards already; a shard is read once")
        ds = next(windows, None)
        self._reading[epoch] = windows, taken + 1
        return None if ds is None else self._parts_of(ds)
