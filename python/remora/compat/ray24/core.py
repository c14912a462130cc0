"""Functions of `ray` with the arguments of Ray 2.4."""

from .notices import drop
from .patching import function

_GONE = {
    "local_mode": "runs are distributed today; debug with `ray.util.pdb` or call the undecorated function. Remove it.",
    "storage": "has no meaning any more; write to your own storage address. Remove it.",
}


def apply(ray):
    @function(ray, "init")
    def init(today, address=None, **options):
        options["local_mode"] = options.get("local_mode") or None
        drop(options, {f"{name}": f"`ray.init({name}=…)` {text}" for name, text in _GONE.items()})
        return today(address, **options)

    _renamed(ray, "wait", "object_refs")
    _renamed(ray, "cancel", "object_ref")


def _renamed(ray, name, first):
    """Lets the first argument of a function be given by the name that it had."""

    @function(ray, name)
    def renamed(today, *args, **options):
        return today(*args, options.pop(first), **options) if first in options else today(*args, **options)
