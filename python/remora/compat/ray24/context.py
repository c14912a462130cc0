"""`set_progress_bars`, the order of rows, limits, and attributes of DatasetContext that are gone."""

import sys

from ray.data import DataContext, ExecutionResources

from .notices import once, speaks_today

# Switches of executors and optimisers that Ray Data no longer has, with what they were.
_GONE = {
    "block_splitting_enabled": True,
    "optimize_fuse_stages": True,
    "optimize_fuse_read_stages": True,
    "optimize_fuse_shuffle_stages": True,
    "optimize_reorder_stages": True,
    "new_execution_backend": True,
    "use_streaming_executor": True,
    "eager_free": True,
    "optimizer_enabled": False,
    "use_legacy_iter_batches": False,
}


def set_progress_bars(enabled):
    """Shows or hides progress bars; returns what it was."""
    current = DataContext.get_current()
    before, current.enable_progress_bars = current.enable_progress_bars, enabled
    return before


def apply(ray_data):
    ray_data.set_progress_bars = set_progress_bars
    # 2.4 kept the order of blocks through a plan with `sort` or `zip`; today `sort` does not ask for it.
    DataContext.get_current().execution_options.preserve_order = True
    today = DataContext.__setattr__

    def setattr_(self, name, value):
        if name in _GONE and not speaks_today(sys._getframe(1)):
            once(f"DatasetContext.{name}", "has no meaning any more: there is one executor. Remove the line.")
        today(self, name, value)

    DataContext.__setattr__ = setattr_
    for name, value in _GONE.items():
        if not hasattr(DataContext, name):
            setattr(DataContext, name, value)
    for name in ("cpu", "gpu", "object_store_memory"):
        _settable(name)


def _settable(name):
    """Limits were plain attributes, of which None was no limit."""
    today = getattr(ExecutionResources, name)

    def limit(self, value):
        setattr(self, f"_{name}", float("inf") if value is None else value)

    setattr(ExecutionResources, name, property(today.fget, limit))
