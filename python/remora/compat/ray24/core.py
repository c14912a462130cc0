"""`ray.init` with the arguments of Ray 2.4."""

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
