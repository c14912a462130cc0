"""`set_progress_bars`, the order of rows, and attributes of DatasetContext that are gone."""

import sys

from ray.data import DataContext

from .notices import once, speaks_today

# Switches of executors and optimisers that Ray Data no longer has.
_GONE = (
    "block_splitting_enabled",
    "optimize_fuse_stages",
    "optimize_fuse_read_stages",
    "optimize_fuse_shuffle_stages",
    "optimize_reorder_stages",
    "new_execution_backend",
    "use_streaming_executor",
    "eager_free",
    "optimizer_enabled",
    "use_legacy_iter_batches",
)


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
