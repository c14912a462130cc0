"""Batches as Ray 2.4 made them, and what functions could return.

"default" is a list for plain objects, an array for tensors and a DataFrame for everything else; "numpy" is an array for
the first two. Ray is asked for blocks as they are (format None), and the conversion is done here, in the worker.
"""

import logging
from types import GeneratorType

import numpy as np
import pandas as pd

from .plain import PLAIN, PLAIN_IN_TABLE, TENSOR, pack, row_in, row_out, unpack

DEFAULT_BATCH_SIZE = 4096
FORMATS = ("default", "native", "pandas", "pyarrow", "numpy", None)


def apply(ray_data):
    # Ray warns of objects that Arrow does not take; those in PLAIN are meant to be pickled.
    logger = logging.getLogger("ray.data._internal.tensor_extensions.arrow")
    logger.addFilter(lambda record: PLAIN not in record.getMessage())


def check_format(batch_format):
    if batch_format not in FORMATS:
        raise ValueError(f"batch_format is {batch_format!r}, must be one of {FORMATS}")
    return "default" if batch_format == "native" else batch_format


def batch_in(block, batch_format, writable=False):
    """A block of today as a batch of 2.4."""
    from ray.data.block import BlockAccessor

    accessor = BlockAccessor.for_block(block)
    names = list(accessor.column_names())
    if names == [PLAIN]:
        return _plain_batch([unpack(r[PLAIN]) for r in accessor.iter_rows(public_row_format=True)], batch_format)
    if names == [TENSOR] and batch_format in ("default", "numpy"):
        array = accessor.to_numpy([TENSOR])[TENSOR]
        return array.copy() if writable and not array.flags.writeable else array
    if batch_format is None:
        return block
    batch = accessor.to_batch_format("pandas" if batch_format == "default" else batch_format)
    if isinstance(batch, pd.DataFrame):
        batch = nanoseconds(batch)
    return _writable(batch) if writable else batch


def batch_out(batch):
    """What a function returned for a batch, as a batch of today."""
    if isinstance(batch, list):
        return {PLAIN: [pack(v) for v in batch]}
    if isinstance(batch, np.ndarray):
        return {TENSOR: batch}
    return batch


def nanoseconds(frame):
    """Times in nanoseconds, the only unit that pandas 1.5 had, as far as they fit."""
    for column, dtype in frame.dtypes.items():
        if getattr(dtype, "kind", "") not in ("m", "M"):
            continue
        unit = np.datetime_data(dtype)[0] if isinstance(dtype, np.dtype) else getattr(dtype, "unit", "ns")
        if unit != "ns":
            try:
                frame = frame.assign(**{column: frame[column].dt.as_unit("ns")})
            except pd.errors.OutOfBoundsDatetime:
                continue
    return frame


def _plain_batch(items, batch_format):
    if batch_format in ("default", None):
        return items
    if batch_format == "numpy":
        try:
            return np.array(items)
        except ValueError:
            array = np.empty(len(items), dtype=object)
            array[:] = items
            return array
    frame = pd.DataFrame({PLAIN_IN_TABLE: items})
    if batch_format == "pandas":
        return frame
    import pyarrow

    return pyarrow.Table.from_pandas(frame)


def _writable(batch):
    if isinstance(batch, pd.DataFrame):
        # A frame of one numeric column may be a view of Arrow's memory.
        if any(isinstance(a, np.ndarray) and not a.flags.writeable for a in (b.values for b in batch._mgr.blocks)):
            return batch.copy()
    elif isinstance(batch, dict):
        return {k: v if v.flags.writeable else v.copy() for k, v in batch.items()}
    return batch


def wrap(fn, call, actors):
    """A function, or class of callables, that applies `call(fn, value, …)`.

    With `actors` it is always a class: today's actor pools take no functions, 2.4's did.
    """
    if not callable(fn):
        raise ValueError(f"`fn` must be callable, got {fn!r}")
    if isinstance(fn, type) or actors:

        class Adapted:
            def __init__(self, *args, **kwargs):
                self._fn = fn(*args, **kwargs) if isinstance(fn, type) else fn

            def __call__(self, value, *args, **kwargs):
                return call(self._fn, value, *args, **kwargs)

        adapted = Adapted
    else:

        def adapted(value, *args, **kwargs):
            return call(fn, value, *args, **kwargs)

    # The plan and the progress bars show the user's name.
    adapted.__name__ = adapted.__qualname__ = getattr(fn, "__name__", type(fn).__name__)
    return adapted


def batch_udf(fn, batch_format, writable, actors=False):
    def call(f, block, *args, **kwargs):
        result = f(batch_in(block, batch_format, writable), *args, **kwargs)
        if isinstance(result, GeneratorType):
            return (batch_out(b) for b in result)
        return batch_out(result)

    return wrap(fn, call, actors)


def map_udf(fn, actors=False):
    return wrap(fn, lambda f, row, *a, **k: row_out(f(row_in(row), *a, **k)), actors)


def filter_udf(fn, actors=False):
    return wrap(fn, lambda f, row, *a, **k: f(row_in(row), *a, **k), actors)


def flat_map_udf(fn, actors=False):
    return wrap(fn, lambda f, row, *a, **k: [row_out(v) for v in f(row_in(row), *a, **k)], actors)
