"""Modules and classes of ray.data that were renamed or lost, for scripts that import them."""

import pathlib
import sys
import types

from ray.data import DataContext, DataIterator, datasource, grouped_data

from .pipelines import DatasetPipeline
from .plain import Row
from .writers import BlockWritePathProvider, DefaultBlockWritePathProvider


class FileExtensionFilter(datasource.PathPartitionFilter):
    """Leaves paths with one of these extensions, anywhere in their names: "json" takes a.json.gz."""

    def __init__(self, file_extensions, allow_if_no_extension=False):
        given = [file_extensions] if isinstance(file_extensions, str) else file_extensions
        self.extensions = [f".{extension.lower()}" for extension in given]
        self.allow_if_no_extension = allow_if_no_extension

    def apply(self, path):
        found = [suffix.lower() for suffix in pathlib.PurePosixPath(path).suffixes]
        return any(suffix in self.extensions for suffix in found) if found else self.allow_if_no_extension

    def __call__(self, paths):
        return [path for path in paths if self.apply(path)]


class _Provider:
    """Stands for a metadata provider that a script passes as `meta_provider`, which is ignored with a warning."""

    def __init__(self, *args, **options):
        pass


_MODULES = {
    "ray.data.dataset_pipeline": {"DatasetPipeline": DatasetPipeline},
    "ray.data.grouped_dataset": {"GroupedDataset": grouped_data.GroupedData},
    "ray.data.dataset_iterator": {"DatasetIterator": DataIterator},
    "ray.data.row": {"TableRow": Row},
}
# Of ray.data.datasource, by the module that defines them.
_DATASOURCE = {
    "file_based_datasource": {
        "BlockWritePathProvider": BlockWritePathProvider,
        "DefaultBlockWritePathProvider": DefaultBlockWritePathProvider,
        "FileExtensionFilter": FileExtensionFilter,
    },
    "file_meta_provider": {
        "FastFileMetadataProvider": _Provider,
        "ParquetMetadataProvider": _Provider,
        "DefaultParquetMetadataProvider": _Provider,
    },
}


def apply(ray_data):
    for name, members in _MODULES.items():
        if name not in sys.modules:
            module = types.ModuleType(name)
            vars(module).update(members)
            sys.modules[name] = module
            setattr(ray_data, name.rpartition(".")[2], module)
    for submodule, members in _DATASOURCE.items():
        for name, value in members.items():
            for module in (datasource, getattr(datasource, submodule)):
                if not hasattr(module, name):
                    setattr(module, name, value)
    ray_data.DatasetContext = DataContext
