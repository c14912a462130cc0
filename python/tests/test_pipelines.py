"""DatasetPipeline: batches across windows, epochs, shards. Windows and repetitions alone are in test_datasets."""

import pytest
import ray
import ray.data
from ray.data import DatasetPipeline
from ray.data.dataset_iterator import DatasetIterator


def sizes(batches):
    return [len(batch) for batch in batches]


def test_batches_go_on_into_the_next_window_and_epoch():
    ds = ray.data.range(10, parallelism=2)
    assert sizes(ds.repeat(2).iter_batches(batch_size=6)) == [6, 6, 6, 2]
    pipe = ds.window(blocks_per_window=1).repeat(2)
    assert [sizes(e.iter_batches(batch_size=4, drop_last=True)) for e in pipe.iter_epochs()] == [[4, 4]] * 2
    batches = ds.window(blocks_per_window=1).iter_batches(batch_size=10, local_shuffle_buffer_size=10)
    assert [sorted(batch) for batch in batches] == [list(range(10))]
    assert list(ds.window(blocks_per_window=1).iter_batches(batch_size=8, _collate_fn=sum)) == [28, 17]


def test_an_iterators_readings_are_epochs():
    it = ray.data.range(4, parallelism=2).window(blocks_per_window=1).repeat(2).iterator()
    assert isinstance(it, DatasetIterator) and it.schema() is int
    assert list(it.iter_batches(batch_size=3)) == [[0, 1, 2], [3]]
    assert list(it.iter_rows()) == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="no more epochs, there were 2"):
        list(it.iter_batches())


def test_rewindow_is_made_anew_in_each_epoch():
    ds = ray.data.range_table(40, parallelism=4)
    pipe = ds.window(blocks_per_window=1).repeat(2).random_shuffle_each_window().rewindow(blocks_per_window=2)
    first, second = ([[r["value"] for r in w.take_all()] for w in e.iter_datasets()] for e in pipe.iter_epochs())
    assert sizes(first) == sizes(second) == [20, 20]
    assert first != second and sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(40))


def test_shards_are_cut_anew_in_each_epoch():
    """In a pipeline without end, read in tasks and one after the other."""
    pipe = ray.data.range_table(40, parallelism=2).window(blocks_per_window=1).repeat().random_shuffle_each_window()
    shards = pipe.split(2, equal=True)
    assert shards[0].schema().names == ["value"]

    @ray.remote(num_cpus=0)
    def read(shard):
        return [[row["value"] for row in epoch.iter_rows()] for epoch in shard.iter_epochs(max_epoch=2)]

    epochs = list(zip(*(ray.get(read.remote(shard)) for shard in shards), strict=True))
    assert len(epochs) == 2 and epochs[0] != epochs[1]
    for left, right in epochs:
        assert len(left) == len(right) == 20 and sorted(left + right) == list(range(40))


def test_shards_of_equal_epochs():
    left, right = ray.data.range(8).repeat(2).split_at_indices([3])
    assert left.take_all() == [0, 1, 2] * 2 and right.take_all() == [3, 4, 5, 6, 7] * 2


def test_shown():
    ds = ray.data.range(4, parallelism=2)
    assert repr(ds.window(blocks_per_window=1).repeat(3).map(str)) == "DatasetPipeline(num_windows=6, num_stages=2)"
    assert repr(ds.repeat().iterator()) == "DatasetIterator(DatasetPipeline(num_windows=inf, num_stages=1))"


def test_show_windows(capsys):
    made = DatasetPipeline.from_iterable([lambda: ray.data.from_items([1]), lambda: ray.data.from_items([2])])
    made.repeat(2).show_windows()
    windows = ["=== Window {} ===\n{}\n"] * 2
    epochs = ["------ Epoch {} ------\n" + "".join(windows)] * 2
    assert capsys.readouterr().out == "".join(epochs).format(0, 0, 1, 1, 2, 1, 2, 1, 3, 2)
