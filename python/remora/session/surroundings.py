"""What a cell finds around it: a module __main__ of its own, and builtins of a notebook."""

import builtins
import sys
import types

# A module that nobody refers to loses its names, which its functions need.
_replaced = []
_NOTHING = object()
_last = _NOTHING


def module_main():
    """Puts a fresh module in the place of the interpreter's own and returns its names.

    It has no file and no spec, so programs that multiprocessing spawns do not run it again, and what cells define has a
    module that cloudpickle and pickle know.
    """
    main = types.ModuleType("__main__")
    main.__builtins__ = builtins
    _replaced.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    return main.__dict__


def install_builtins(display):
    builtins.display = display
    builtins.input = _input
    builtins.exit = builtins.quit = _Exit()


def show_last(value):
    """`_` is the last value that was shown, unless the cells, or a module such as gettext, have put theirs there."""
    global _last
    if getattr(builtins, "_", _last) is _last:
        builtins._ = _last = value
    else:
        _last = _NOTHING  # and the value may go


def _input(prompt="", /):
    raise RuntimeError(
        "input() cannot ask anybody: the statements of a session run without a terminal. Put the value into the code"
    )


class _Exit:
    """As Python's own, but it leaves sys.stdin open."""

    def __call__(self, code=None):
        raise SystemExit(code)

    def __repr__(self):
        return "exit() ends the statement. The session goes on until it is stopped."
