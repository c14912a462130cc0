"""Writers of Ray 2.4: `block_path_provider`, `write_datasource`, and plain objects as a column "value"."""

import posixpath

from ray.data import Dataset, Datasink
from ray.data.datasource import FilenameProvider
from ray.data.datasource.path_util import _resolve_paths_and_filesystem

from .patching import method
from .plain import TENSOR
from .tables import as_table

_FORMATS = {
    "write_parquet": "parquet",
    "write_csv": "csv",
    "write_json": "json",
    "write_tfrecords": "tfrecords",
    "write_webdataset": "tar",
    "write_numpy": "npy",
}


class BlockWritePathProvider:
    """Names the file of a block; scripts subclass it. Ray asks for one name per write task, below the base path."""

    def _get_write_path_for_block(
        self, base_path, *, filesystem=None, dataset_uuid=None, block=None, block_index=None, file_format=None
    ):
        raise NotImplementedError

    def __call__(self, base_path, **options):
        return self._get_write_path_for_block(base_path, **options)


class DefaultBlockWritePathProvider(BlockWritePathProvider):
    """`<base>/<uuid>_<index of six digits>.<format>`."""

    def _get_write_path_for_block(
        self, base_path, *, filesystem=None, dataset_uuid=None, block=None, block_index=None, file_format=None
    ):
        return posixpath.join(base_path, f"{dataset_uuid}_{block_index:06}.{file_format}")


class _Filenames(FilenameProvider):
    """Asks in the task that writes, where the address is resolved: a provider sees a filesystem and a path in it."""

    def __init__(self, provider, address, filesystem, file_format):
        super().__init__(file_format=file_format)
        self._ask = provider
        self._address, self._filesystem, self._format = address, filesystem, file_format

    def get_filename_for_task(self, write_uuid, task_index):
        [base], filesystem = _resolve_paths_and_filesystem(self._address, self._filesystem)
        path = self._ask(
            base,
            filesystem=filesystem,
            dataset_uuid=write_uuid,
            block=None,
            block_index=task_index,
            file_format=self._format,
        )
        base = base.rstrip("/") + "/"
        return path[len(base) :] if path.startswith(base) else posixpath.basename(path)


class _DatasourceSink(Datasink):
    """Writes through a Datasource that a script wrote for 2.4."""

    def __init__(self, datasource, write_args):
        self._datasource = datasource
        self._write_args = write_args

    def write(self, blocks, ctx):
        return self._datasource.write(blocks, ctx, **self._write_args)

    def on_write_complete(self, write_result):
        self._call("on_write_complete", write_result.write_returns)

    def on_write_failed(self, error):
        self._call("on_write_failed", [], error)

    def _call(self, name, *args):
        callback = getattr(self._datasource, name, None)
        if callback is not None:
            callback(*args)

    def get_name(self):
        return type(self._datasource).__name__


def write_datasource(self, datasource, *, ray_remote_args=None, **write_args):
    self.write_datasink(_DatasourceSink(datasource, write_args), ray_remote_args=ray_remote_args)


def apply(ray_data):
    for name, file_format in _FORMATS.items():
        _writer(name, file_format)
    Dataset.write_datasource = write_datasource


def _writer(name, file_format):
    @method(Dataset, name)
    def write(today, self, path, *, block_path_provider=None, **options):
        if name == "write_numpy":
            options.setdefault("column", TENSOR)
        if block_path_provider is not None:
            options["filename_provider"] = _Filenames(block_path_provider, path, options.get("filesystem"), file_format)
        return today(as_table(self), path, **options)
