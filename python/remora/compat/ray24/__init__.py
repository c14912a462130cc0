"""The API and defaults of Ray 2.4 for scripts of runtime `Ray2.4`, on the Ray that is installed.

Only calls from the script's side see it: Ray itself and libraries written for today's Ray call through (`notices.
speaks_today`). docs/COMPATIBILITY.md lists each name.
"""


def apply_core(ray):
    """Called once, right after `ray` has been imported."""
    from . import core

    core.apply(ray)


def apply_data(ray_data):
    """Called once, right after `ray.data` has been imported."""
    from . import (
        batches,
        context,
        datasets,
        grouped,
        iterators,
        modules,
        notices,
        pipelines,
        readers,
        shown,
        sources,
        strategies,
        tables,
        writers,
    )

    # All are imported, and so hold today's methods, before the first one replaces any.
    results = (tables, iterators, grouped, writers, shown)
    for part in (batches, strategies, datasets, *results, sources, readers, context, pipelines, modules):
        part.apply(ray_data)
    notices.silence_advice()
