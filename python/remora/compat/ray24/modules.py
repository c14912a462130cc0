"""Modules and classes of ray.data that were renamed or lost, for scripts that import them."""

import sys
import types

from ray.data import DataContext, DataIterator, datasource, grouped_data

from .pipelines import DatasetPipeline
from .plain import Row
from .writers import BlockWritePathProvider, DefaultBlockWritePathProvider


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
_DATASOURCE = {
    "BlockWritePathProvider": BlockWritePathProvider,
    "DefaultBlockWritePathProvider": DefaultBlockWritePathProvider,
    "FastFileMetadataProvider": _Provider,
    "ParquetMetadataProvider": _Provider,
    "DefaultParquetMetadataProvider": _Provider,
}


def apply(ray_data):
    for name, members in _MODULES.items():
        if name not in sys.modules:
            module = types.ModuleType(name)
            vars(module).update(members)
            sys.modules[name] = module
            setattr(ray_data, name.rpartition(".")[2], module)
    for name, value in _DATASOURCE.items():
        if not hasattr(datasource, name):
            setattr(datasource, name, value)
    ray_data.DatasetContext = DataContext
