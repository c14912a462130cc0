"""The session: requests in, statements run one after the other, events out."""

import atexit
import faulthandler
import os
import sys

from . import errors, surroundings
from .awaiting import EventLoop
from .cells import Compiler
from .channel import Channel, Requests, claim
from .figures import Figures, is_figure, is_pyplot
from .fork import Children
from .interrupts import Interrupts
from .representation import bundle, raw_bundle
from .streams import Streams


class Interpreter:
    def __init__(self, requests_fd, events_fd):
        self._interrupts = Interrupts()
        self._requests = Requests(claim(requests_fd))
        self._channel = Channel(claim(events_fd), self._interrupts)
        self._streams = Streams(self._channel)
        self._children = Children(self._channel, self._requests)
        self._compiler = Compiler()
        self._loop = EventLoop(self._interrupts)
        self._figures = Figures(self._display)
        self._names = surroundings.module_main()
        # The statement that ran last.
        self._last = None

    def serve(self):
        """Answers requests until there are no more. Returns the exit status."""
        faulthandler.enable(self._streams.errors_fd)
        self._interrupts.begin()
        self._streams.restore()
        self._children.install()
        self._figures.install()
        surroundings.install_builtins(self._display)
        # Lines of progress that ray.data logs where there is no terminal come every ten seconds by default.
        os.environ.setdefault("RAY_DATA_NON_TTY_PROGRESS_LOG_INTERVAL", "3")
        self._channel.event(event="ready", python=sys.version.split()[0], pid=os.getpid())
        while True:
            try:
                return self._answer()
            except SystemExit:  # a handler of SIGTERM, such as Ray's
                return self._end()
            except BaseException as error:  # a signal handler of the user's
                errors.print_error(error, "Between statements:")

    def _answer(self):
        while True:
            try:
                request = self._requests.next()
            except ValueError as error:
                return self._fault(f"a request is not JSON: {error}")
            match request:
                case None | {"op": "shutdown"}:
                    return self._end()
                case {"op": "run", "id": int(number), "code": str(code)}:
                    if number != self._last:  # or it was interrupted after its end
                        self._statement(number, code)
                    self._requests.drop()
                case _:
                    return self._fault(f"no such request: {str(request)[:200]}")

    def _statement(self, number, code):
        try:
            self._interrupts.begin()
            self._streams.restore()
            self._channel.begin(number)
            event = self._run(number, code)
        except BaseException as error:  # a signal handler of the user's, outside of the user's code
            event = self._outcome(number, None, error)
        self._last = number
        while True:
            try:
                return self._channel.done(event)
            except BaseException:
                if self._channel.statement is None:
                    raise

    def _run(self, number, code):
        """Runs the code and returns the event that says how it ended."""
        guard = self._interrupts.guard
        data, error = guard(self._value, f"<cell {number}>", code)
        if self._children.here():
            self._children.end(error)
        _, failure = guard(self._figures.show_open)
        return self._outcome(number, data, error or failure)

    def _value(self, name, code):
        """The representations of what the code's last expression is, None if there is nothing to show."""
        cell = self._compiler.compile(name, code)
        # Or a warning would be shown once in a session: cells share their lines' numbers.
        self._names.pop("__warningregistry__", None)
        value = None
        if cell.awaits:
            value = self._loop.run(cell, self._names)
        else:
            for part in cell.codes:
                value = eval(part, self._names)
        if value is None or not cell.shows:
            return None
        surroundings.show_last(value)
        data = bundle(value)
        if is_figure(value):
            self._figures.close(value)
        return data or None

    def _outcome(self, number, data, error):
        event = {"event": "done", "id": number, "status": "ok", "data": data}
        if error is None:
            return event
        # Even the error's message is the user's code, which may not end.
        described, failure = self._interrupts.guard(errors.describe, error)
        if described is None:
            name = type(error).__name__
            described = name, "", [f"{name}: <no message, {type(failure).__name__} while it was made>"]
        name, message, traceback = described
        cancelled = self._interrupts.hit and _comes_from_interrupt(error)
        event["status"] = "cancelled" if cancelled else "error"
        return {**event, "data": None, "ename": name, "evalue": message, "traceback": traceback}

    def _display(self, *values, raw=False, **options):
        """Shows values where they are. `raw` takes dictionaries from MIME types to contents."""
        for value in values:
            if is_pyplot(value):
                self._figures.show_open()
                continue
            data = raw_bundle(value) if raw else bundle(value)
            if not data:
                continue
            if self._channel.child:
                print(data.get("text/plain", ""))
            else:
                self._channel.event(event="display", data=data)

    def _end(self):
        """Does what ends a Python program, but for waiting for its threads: a session's may run for ever."""
        try:
            self._loop.close()
        except BaseException as error:
            errors.print_error(error, "While the event loop was closed:")
        atexit._run_exitfuncs()  # Ray's, among others
        self._channel.end()
        return 0

    def _fault(self, reason):
        os.write(self._streams.errors_fd, f"remora session: {reason}\n".encode("utf-8", "replace"))
        return 2


def _comes_from_interrupt(error):
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
