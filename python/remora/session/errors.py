"""Exceptions as the reader of a notebook wants them: from the cell's own lines on, with their source, and bounded."""

import linecache
import os
import re
import sys
import traceback

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
# Ray's wrappers around each public call, which say nothing.
_WRAPPERS = tuple(os.path.join("ray", "_private", name) for name in ("auto_init_hook.py", "client_mode_hook.py"))
_CELL = "<cell "
# Bounds: characters of a message and of a whole traceback, frames at each end of a stack.
MESSAGE = 8192
TRACEBACK = 65536
_FRAMES = 50

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_LEFT_OUT = re.compile(r'^  File "(… \d+ frames left out …)".*$', re.MULTILINE)
_REMOTE_FRAME = re.compile(r'^( *)File "(<cell [^"]*>)", line (\d+)')


def describe(error):
    """The class's name, the message and the lines of the traceback, which end with both."""
    name = type(error).__name__
    # The message first: the traceback module does not let an interrupt out of a message that never ends.
    text = message(error)
    try:
        lines = _lines(error)
    except Exception as failure:  # of classes that break the rules of exceptions
        lines = [f"{name}: <no traceback, {type(failure).__name__} while it was made>"]
    return name, text, bounded_lines(lines)


def message(error):
    try:
        text = str(error)
        if isinstance(error, SyntaxError):
            text = error.msg if isinstance(error.msg, str) else text
    except Exception as failure:
        return f"<str() raised {type(failure).__name__}>"
    return bounded(_COLOR.sub("", text), MESSAGE)


def print_error(error, why):
    """Reports an exception that does not end the statement, on its stderr."""
    print(why, *describe(error)[2], sep="\n", file=sys.stderr)


def bounded(text, limit):
    """The text, without its middle if it is longer than the limit."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}… [{len(text) - 2 * half} characters left out] …{text[-half:]}"


def bounded_lines(lines):
    lines = [bounded(line, MESSAGE) for line in lines]
    if sum(len(line) + 1 for line in lines) <= TRACEBACK:
        return lines
    head, tail, room = [], [], TRACEBACK // 2
    for part, source in ((head, lines), (tail, lines[::-1])):
        size = 0
        for line in source:
            size += len(line) + 1
            if size > room:
                break
            part.append(line)
    left = len(lines) - len(head) - len(tail)
    return [*head, f"… [{left} lines left out] …", *tail[::-1]]


def _lines(error):
    made = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    _trim(made, set())
    text = _LEFT_OUT.sub(r"  \1", _COLOR.sub("", "".join(made.format())))
    return _with_sources(text.rstrip("\n").split("\n"))


def _trim(made, seen):
    """Takes out of an exception and of those that it came from what is not the user's."""
    if made is None or id(made) in seen:
        return
    seen.add(id(made))
    stack = made.stack
    first = next((i for i, frame in enumerate(stack) if frame.filename.startswith(_CELL)), 0)
    kept = [f for f in stack[first:] if not f.filename.startswith(_OWN) and not f.filename.endswith(_WRAPPERS)]
    if len(kept) > 2 * _FRAMES and not _repeats(kept):
        left = len(kept) - 2 * _FRAMES
        note = traceback.FrameSummary(f"… {left} frames left out …", 0, "…", lookup_line=False, line="")
        kept = [*kept[:_FRAMES], note, *kept[-_FRAMES:]]
    stack[:] = kept
    for other in (made.__cause__, made.__context__, *(getattr(made, "exceptions", None) or ())):
        _trim(other, seen)


def _repeats(frames):
    """Whether Python's own way to shorten a recursion, by counting a line, will do."""
    changes = sum(a.lineno != b.lineno or a.filename != b.filename for a, b in zip(frames, frames[1:], strict=False))
    return changes < 2 * _FRAMES


def _with_sources(lines):
    """Adds the cells' source lines to frames of remote tasks, where the source is not known."""
    out = []
    for i, line in enumerate(lines):
        out.append(line)
        frame = _REMOTE_FRAME.match(line)
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if frame and not following.startswith(frame[1] + "  "):
            source = linecache.getline(frame[2], int(frame[3])).strip()
            if source:
                out.append(f"{frame[1]}  {source}")
    return out
