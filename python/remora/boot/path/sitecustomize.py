"""Python imports this at start when its folder is on PYTHONPATH, in the driver and in every worker.

It arms what the environment asks for and then runs the sitecustomize that Python would have run without us, so a user's
own keeps working. A .pth file would need to write into the environment, which several runs share. The folder holds nothing
else: its names come before those of the user's modules.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _arm():
    if os.environ.get("REMORA_RAY_API") != "2.4":
        return
    parent = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))
    if parent not in sys.path:
        sys.path.append(parent)
    from remora.boot.hook import install

    install()


def _chain():
    from importlib.machinery import PathFinder

    rest = [p for p in sys.path if os.path.realpath(p or ".") != os.path.realpath(_HERE)]
    spec = PathFinder.find_spec("sitecustomize", rest)
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_arm()
_chain()
