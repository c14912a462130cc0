"""`read_datasource` with a Datasource that a script wrote for Ray 2.4: one with `prepare_read` or `create_reader`."""

import functools
import warnings

from ray.data import Datasource, ReadTask
from ray.data.block import BlockAccessor, BlockMetadata
from ray.data.datasource import Reader

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


def adapt(datasource):
    """`datasource`, or what speaks for it where it is of 2.4's kind."""
    return Source(datasource) if datasource.should_create_reader else datasource


def apply(ray_data):
    # Ray advises the script against what `Source` takes care of.
    warnings.filterwarnings("ignore", message="`create_reader` has been deprecated")

    @method(BlockMetadata, "__init__")
    def metadata(today, self, num_rows, size_bytes, schema=None, input_files=None, exec_stats=None, **options):
        # Sources gave the schema here; today it is known from the first block.
        today(self, num_rows=num_rows, size_bytes=size_bytes, input_files=input_files, exec_stats=exec_stats, **options)
