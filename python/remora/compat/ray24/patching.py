"""Replaces methods for the script's calls only."""

import functools
import sys

from .notices import speaks_today


def method(cls, name=None):
    """Decorates `def f(today, self, …)`: the new method, given the old one as `today`."""

    def decorate(fn):
        attribute = name or fn.__name__
        today = getattr(cls, attribute)

        @functools.wraps(today)
        def patched(self, *args, **kwargs):
            if speaks_today(sys._getframe(1)):
                return today(self, *args, **kwargs)
            return fn(today, self, *args, **kwargs)

        setattr(cls, attribute, patched)
        return fn

    return decorate


def function(module, name, today=None):
    """The same for a function of a module: `def f(today, …)`."""

    def decorate(fn):
        original = today or getattr(module, name)

        @functools.wraps(original)
        def patched(*args, **kwargs):
            if speaks_today(sys._getframe(1)):
                return original(*args, **kwargs)
            return fn(original, *args, **kwargs)

        setattr(module, name, patched)
        return fn

    return decorate
