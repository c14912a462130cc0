"""Rows of Ray 2.4 that were not tables: any Python object, or one tensor.

Today every block is a table. A plain object travels in a table whose only column is PLAIN, a tensor in one whose only
column is TENSOR (2.4's own name for it); which of them a row is can be told from the row alone, as 2.4 told it from the
block, so nothing has to be known in the driver. Scalars stay native in Arrow, so that sorting and sums need no Python;
other objects are wrapped, since Arrow would turn tuples to lists and promote dictionaries to structs.
"""

from collections.abc import Mapping

import numpy as np

PLAIN = "__item__"
TENSOR = "__value__"
# The name under which 2.4 showed plain objects in a DataFrame or an Arrow table.
PLAIN_IN_TABLE = "value"

_SCALARS = (float, str, bytes, bool, type(None))


class Opaque:
    """An object that Arrow must not look into."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return Opaque, (self.value,)


class Row(dict):
    """A row of a table, with the method that 2.4's rows had beyond a mapping's."""

    def as_pydict(self):
        return dict(self)


def pack(value):
    if isinstance(value, np.generic):
        value = value.item()
    kind = type(value)
    if kind in _SCALARS or (kind is int and -(2**63) <= value < 2**63):
        return value
    return Opaque(value)


def unpack(value):
    return value.value if isinstance(value, Opaque) else value


def row_in(row):
    """A row of today as 2.4 gave it to functions and to the script."""
    if len(row) == 1:
        if PLAIN in row:
            return unpack(row[PLAIN])
        if TENSOR in row:
            return row[TENSOR]
    return Row(row)


def row_out(value):
    """What a function or the script returned, as a row of today."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, np.ndarray):
        return {TENSOR: value}
    return {PLAIN: pack(value)}
