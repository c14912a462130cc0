"""matplotlib as in a notebook: `plt.show()` shows the open figures, and so does the end of a cell."""

import importlib.abc
import importlib.machinery
import io
import os
import sys

from .errors import print_error

_PYPLOT = "matplotlib.pyplot"


def is_figure(value):
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(value, module.Figure)


def is_pyplot(value):
    return value is not None and value is sys.modules.get(_PYPLOT)


def render(figure):
    """A PNG of the figure's own size: a default figure has 640 × 480 pixels, at which Glue's kernel shows pictures."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


class Figures:
    """Shows and closes figures through `display`, a function that takes a figure."""

    def __init__(self, display):
        self._display = display

    def install(self):
        """Before user code: drawing needs no screen, and pyplot's show is ours as soon as there is a pyplot."""
        if not os.environ.get("MPLBACKEND"):
            os.environ["MPLBACKEND"] = "Agg"
        sys.meta_path.insert(0, _Finder(self.show_open))

    def show_open(self):
        """Shows and closes all that are open, in the order of their numbers."""
        pyplot = sys.modules.get(_PYPLOT)
        if pyplot is None or not hasattr(pyplot, "get_fignums"):  # or it is being imported
            return
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            try:
                self._display(figure)
            except Exception as error:
                print_error(error, f"Figure {number} cannot be drawn:")
            finally:
                pyplot.close(figure)

    def close(self, figure):
        """For one that is shown as a value: once is enough."""
        pyplot = sys.modules.get(_PYPLOT)
        if pyplot is not None:
            pyplot.close(figure)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, show):
        self._show = show

    def find_spec(self, name, path=None, target=None):
        if name != _PYPLOT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._show)
        return spec


class _Loader(importlib.abc.Loader):
    """Executes the module by its own loader, then replaces its show."""

    def __init__(self, inner, show):
        self._inner = inner
        self._show = show

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        self._inner.exec_module(module)

        def show(*args, **options):  # a plain function, on which pyplot writes a signature
            self._show()

        module.show = show

    def __getattr__(self, name):
        return getattr(self._inner, name)
