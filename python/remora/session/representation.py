"""Values as what a front end can show: a dictionary from MIME types to text, base64 for binary ones."""

import sys

from .errors import bounded, print_error

# Bounds: characters of plain text, and of any other representation.
PLAIN = 100_000
RICH = 8 << 20

_FAILED = object()
_METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_latex_": "text/latex",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
}


def bundle(value):
    """All representations of the value, text/plain among them. Raises what its repr raises.

    Empty if the value has shown itself by `_ipython_display_`. The others go before it, other than in IPython: most
    such methods count on IPython's front end and without it print a repr or open a browser, as plotly's does.
    """
    from .figures import is_figure, render

    found = {}
    if is_figure(value):
        _add(found, "image/png", render(value))
    elif not isinstance(value, type):
        found.update(_own_bundle(value))
        for method, mime in _METHODS.items():
            if mime not in found:
                _add(found, mime, _call(value, method))
        if "image/png" in found:
            found.pop("image/jpeg", None)  # the same picture
        if not found and _call(value, "_ipython_display_") is not _FAILED:
            return found
    plain = found.pop("text/plain", None)
    return {"text/plain": bounded(repr(value), PLAIN) if plain is None else plain, **found}


def raw_bundle(data):
    """What is given as a bundle already."""
    found = {}
    for mime, content in data.items():
        _add(found, mime, content)
    return found


def _own_bundle(value):
    answer = _call(value, "_repr_mimebundle_", include=None, exclude=None)
    if isinstance(answer, tuple):  # with metadata
        answer = answer[0] if answer else None
    return raw_bundle(answer) if isinstance(answer, dict) else {}


def _call(value, method, **options):
    """What the method returns, _FAILED if there is none or it cannot."""
    # On the class: proxies that have any attribute one asks for are not asked.
    function = getattr(type(value), method, None)
    if function is None:
        return _FAILED
    try:
        return function(value, **options)
    except NotImplementedError:
        return _FAILED
    except Exception as error:
        print_error(error, f"{type(value).__name__}.{method} failed:")
        return _FAILED


def _add(found, mime, content):
    if isinstance(content, tuple):  # with metadata
        content = content[0] if content else None
    if isinstance(content, (bytes, bytearray, memoryview)):
        if isinstance(mime, str) and (mime.startswith("text/") or mime == "image/svg+xml"):
            content = bytes(content).decode("utf-8", "replace")
        else:
            from base64 import b64encode

            content = b64encode(content).decode()
    # Others, such as the models of widgets, need a front end that talks back.
    if not isinstance(content, str) or not isinstance(mime, str):
        return
    if mime == "text/plain":
        content = bounded(content, PLAIN)
    elif len(content) > RICH:
        print(f"A {mime} of {len(content):,} characters is not shown, {RICH:,} are allowed.", file=sys.stderr)
        return
    found[mime] = content
