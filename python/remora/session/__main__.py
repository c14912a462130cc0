"""Starts the interpreter of a session; the host runs this file. The package's docstring is the contract."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _start():
    if sys.path[:1] != [_HERE]:  # Python was told to leave the script's folder out
        sys.path.insert(0, "")
    sys.path[0] = os.path.dirname(os.path.dirname(_HERE))
    from remora.session.interpreter import Interpreter

    # As at Python's prompt: modules come from the working directory, wherever that is by then.
    sys.path[0] = ""
    sys.argv = [""]
    return Interpreter(3, 4)


if __name__ == "__main__":
    os._exit(_start().serve())
