"""An import hook that applies an older Ray API right after `ray` and `ray.data` have been imported."""

import importlib.abc
import importlib.machinery
import os
import sys

# The modules to patch, and the function of remora.compat.ray24 that does it.
_APPLY = {"ray": "apply_core", "ray.data": "apply_data"}

# Defaults of Ray 2.4 that today are settings of ray.data, which reads them when it is imported.
_DEFAULTS = {
    # Shuffles sorted, so groups came out in the order of their keys.
    "RAY_DATA_DEFAULT_SHUFFLE_STRATEGY": "sort_shuffle_pull_based",
    # DataFrames had NumPy's dtypes, not Arrow's.
    "RAY_DATA_ENABLE_ARROW_BACKED_PANDAS_CONVERSION": "0",
    # DataFrames that functions returned stayed DataFrames: objects, categories and NaN are kept.
    "RAY_DATA_DEFAULT_BATCH_TO_BLOCK_ARROW_FORMAT": "0",
    # Parquet files' metadata were read first: rows and sizes were known before any data, and blocks followed the files.
    "RAY_DATA_USE_DATASOURCE_V2": "0",
    # What a function raised could be caught by its own type.
    "RAY_DATA_RAISE_ORIGINAL_MAP_EXCEPTION": "1",
}


class _Loader(importlib.abc.Loader):
    """Executes the module by its own loader, then patches it."""

    def __init__(self, inner):
        self._inner = inner

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        self._inner.exec_module(module)
        from remora.compat import ray24

        getattr(ray24, _APPLY[module.__name__])(module)

    def __getattr__(self, name):
        # Resource readers and get_filename are asked of the loader.
        return getattr(self._inner, name)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in _APPLY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def install():
    """Arms the hook. Once is enough; modules imported before are not patched."""
    if any(isinstance(f, _Finder) for f in sys.meta_path):
        return
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    sys.meta_path.insert(0, _Finder())
