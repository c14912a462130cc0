"""Warnings about names of Ray 2.4 that have no meaning any more."""

import logging
import sys
import warnings

import ray

_seen = set()
# Ray's advice on what is right in a script for 2.4.
_ADVICE = (
    "Use 'expr' instead of 'fn'",
    "`create_reader` has been deprecated",
    "Passing a function to `iter_torch_batches",
)


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
    """Removes keyword arguments from `options`, warning about those with a value that meant something."""
    for name, instead in names.items():
        if options.pop(name, None):
            once(name, instead)


def speaks_today(frame):
    """Whether the calling frame belongs to code that is written for the installed Ray, which must see its own API."""
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("ray", "awswrangler", "modin")


def silence_advice():
    """Ignores Ray's warnings that a 2.4 script should be written for today's API, and what blames this package."""
    for message in _ADVICE:
        warnings.filterwarnings("ignore", message=message)
    today = ray.util.annotations.RayDeprecationWarning
    warnings.filterwarnings("ignore", category=today, module=r"remora\.compat\.")
    logging.getLogger("ray.data.dataset").addFilter(lambda record: "is deprecated" not in str(record.msg))
    for name in ("ray.data.exceptions", "ray.data._internal.execution.streaming_executor_state"):
        logging.getLogger(name).addFilter(_without_failures_of_functions)


def _without_failures_of_functions(record):
    """Ray takes functions' own exceptions, which 2.4 raised as they were, for its own, and asks for a bug report. Their
    traces need no log: they are in the exception."""
    error = record.exc_info[1] if record.exc_info else sys.exc_info()[1]
    if not isinstance(error, ray.exceptions.RayTaskError):
        return True
    record.exc_info = None
    return not any(words in str(record.msg) for words in ("internal code", "Full stack trace"))
