"""Warnings about names of Ray 2.4 that have no meaning any more."""

import sys
import warnings

_seen = set()


class RayAPIWarning(UserWarning):
    """A name of Ray 2.4 without effect today. A UserWarning, because Python hides DeprecationWarnings of libraries."""


def once(name, instead):
    """Warns about `name` the first time in this process; `instead` says what to write."""
    if name in _seen:
        return
    _seen.add(name)
    depth = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("remora.compat."):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(f"{name}: {instead}", RayAPIWarning, stacklevel=depth + 1)


def drop(options, names):
    """Removes keyword arguments from `options`, warning about those that were given a value."""
    for name, instead in names.items():
        if options.pop(name, None) is not None:
            once(name, instead)


def speaks_today(frame):
    """Whether the calling frame belongs to code that is written for the installed Ray, which must see its own API."""
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("ray", "awswrangler", "modin")
