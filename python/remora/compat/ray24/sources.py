"""`read_datasource` with a Datasource that a script wrote for Ray 2.4: one with `prepare_read`, `create_reader`, or for
files with `_read_file` or `_read_stream`. Its arguments were given to `read_datasource`."""

import copy
import functools

from ray.data import Datasource, ReadTask, datasource
from ray.data.block import BlockAccessor, BlockMetadata
from ray.data.datasource import FileBasedDatasource, Reader

from .batches import batch_out
from .patching import method


class Source(Datasource):
    """Asks the script's readers for what they know of: no limits of rows, and blocks of plain objects."""

    def __init__(self, datasource):
        super().__init__()
        self._datasource = datasource

    def create_reader(self, **read_args):
        return _Reader(self._datasource.create_reader(**read_args))

    def get_name(self):
        return self._datasource.get_name()


class _Reader(Reader):
    def __init__(self, reader):
        self._reader = reader

    def estimate_inmemory_data_size(self):
        return self._reader.estimate_inmemory_data_size()

    def get_read_tasks(self, parallelism, per_task_row_limit=None, data_context=None):
        tasks = self._reader.get_read_tasks(parallelism)
        return [ReadTask(functools.partial(_blocks, task.read_fn), task.metadata, task.schema) for task in tasks]


def _blocks(read):
    for block in read():
        batch = batch_out(block)
        yield block if batch is block else BlockAccessor.batch_to_block(batch)


# What 2.4 took for itself of the arguments for files, beside those of `read_datasource`; the rest went to `_read_file`.
_OF_FILES = ("filesystem", "schema", "open_stream_args", "partition_filter", "partitioning", "ignore_missing_paths")
_OF_READS = ("override_num_blocks", "ray_remote_args", "concurrency")


def _of_files(source, paths, options):
    """A copy of the script's datasource that has its paths, and the arguments that are left."""
    of_files = {name: options.pop(name) for name in _OF_FILES if name in options}
    of_reads = {name: options.pop(name) for name in _OF_READS if name in options}
    change = options.pop("_block_udf", None)
    ready = copy.copy(source)
    FileBasedDatasource.__init__(ready, paths, **of_files)
    ready._read_stream = functools.partial(_blocks_of_file, source, change, options)
    return ready, of_reads


def _blocks_of_file(source, change, arguments, file, path):
    streams = type(source)._read_stream is not FileBasedDatasource._read_stream
    read = functools.partial(source._read_stream if streams else source._read_file, file, path, **arguments)
    for block in _blocks(read if streams else lambda: [read()]):
        yield block if change is None else change(block)


class RandomIntRowDatasource(Datasource):
    """Rows of random numbers; 2.4 was told how many by `read_datasource`."""

    def create_reader(self, n, num_columns):
        return _random_rows(n, num_columns)


_random_rows = datasource.RandomIntRowDatasource


def adapt(source, options):
    """What to read and the arguments that are left for it; another Datasource where `source` is of 2.4's kind."""
    if isinstance(source, FileBasedDatasource) and not hasattr(source, "_paths_ref"):
        if "paths" not in options:
            raise TypeError(f"read_datasource: {type(source).__name__} reads files; give their `paths`")
        return _of_files(source, options.pop("paths"), options)
    return Source(source) if source.should_create_reader else source, options


def apply(ray_data):
    datasource.RandomIntRowDatasource = RandomIntRowDatasource

    @method(FileBasedDatasource, "__init__")
    def files(today, self, paths=None, **options):
        # Without paths nothing is known yet; they come with `read_datasource`.
        return Datasource.__init__(self) if paths is None else today(self, paths, **options)

    @method(BlockMetadata, "__init__")
    def metadata(today, self, num_rows, size_bytes, schema=None, input_files=None, exec_stats=None, **options):
        # Sources gave the schema here; today it is known from the first block.
        today(self, num_rows=num_rows, size_bytes=size_bytes, input_files=input_files, exec_stats=exec_stats, **options)
