"""The pipes to the host: requests come in, events go out whole, in order, and with bounded memory."""

import collections
import errno
import io
import itertools
import json
import os
import resource
import struct
import threading
from _queue import SimpleQueue  # unlike the one of multiprocessing, and in C: a signal handler may interrupt it
from fcntl import F_DUPFD_CLOEXEC, fcntl, ioctl
from json.encoder import encode_basestring_ascii
from termios import FIONREAD
from time import monotonic, sleep

from .text import Pending

# What one write to the pipe takes; larger events go in pieces.
_PIECE = 1 << 18
# Seconds that an event waits at most for the host to read what is in the pipes of descriptors 1 and 2.
_READ_WITHIN = 0.05
_NAP = 0.0002
_NOTHING = struct.pack("i", 0)


def claim(fd):
    """Moves a descriptor out of the way of code that closes the low ones, and of programs that are started."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = 1000 if soft == resource.RLIM_INFINITY or soft > 1100 else max(soft - 30, 10)
    high = fcntl(fd, F_DUPFD_CLOEXEC, lowest)
    os.close(fd)
    os.set_blocking(high, True)
    return high


class Requests:
    """Lines of JSON from the host. A request stays the next one until it is dropped.

    Here and in Channel, data moves from one place to the next within C code: a signal handler of the user's may raise
    after any instruction, and what was only in a variable would be lost.
    """

    def __init__(self, fd):
        self.fd = fd
        self._pipe = io.BufferedReader(io.FileIO(fd, closefd=False), _PIECE)
        self._line = collections.deque()

    def next(self):
        """The next request, None at the end. A line that is not JSON raises ValueError."""
        if not self._line:
            self._line.extend(itertools.islice(self._pipe, 1))
        return json.loads(self._line[0]) if self._line else None

    def drop(self):
        self._line.clear()


class Channel:
    """Sends events from any thread.

    What is to be sent is first put into a queue, then taken out by whoever has the lock: so a destructor or a signal
    handler that prints, in the middle of a write of the same thread, is served by that write and does not wait for it.
    Only the lock's owner touches the text and the pipe. Writers wait while the pipe is full.
    """

    def __init__(self, fd, interrupts):
        self.fd = fd
        self._interrupts = interrupts
        self._pipe = io.BufferedWriter(io.FileIO(fd, "w", closefd=False), _PIECE)
        self._pieces = collections.deque()
        self._queue = collections.deque()
        self._lock = threading.Lock()
        self._owner = None
        # The running one.
        self.statement = None
        self._text = Pending(self._send_text)
        self._bell = SimpleQueue()
        self._flusher = None
        self._awake = False
        self._wait = 0
        self.child = False
        # Writing ends of the pipes of descriptors 1 and 2; none that are not pipes.
        self.raw = ()
        # Whether the host has read these, or the last event has waited for that in vain.
        self._awaits_raw = True

    # Each of these returns when what came before has been written.

    def text(self, name, text):
        """What a stream was given. It is sent with its line, or a moment later."""
        self._put(self._text.add, name, text)

    def flush(self):
        self._put(self._text.flush)

    def end(self):
        """Sends all there is, at the end of the process."""
        self._put(self._text.end)

    def event(self, **event):
        self._put(self._event, event)

    def begin(self, statement):
        """From here on text belongs to the statement."""
        self._put(self._begin, statement)

    def done(self, event):
        """Ends the statement: its text goes first, no thread's comes between, and later text belongs to none."""
        self._put(self._done, event)

    def forked(self):
        """In a child: text goes to the descriptors, line by line; the pipe is closed, and ends with the parent."""
        self.child = True
        self._lock = threading.Lock()
        self._owner = None
        self._awake = True  # there is no thread to wake
        self._queue.clear()
        self._text = Pending(_write_text)
        try:
            os.close(self.fd)
        except OSError:
            pass

    def _put(self, *call):
        self._queue.append(call)
        me = threading.get_ident()
        if self._owner == me:
            return
        self._interrupts.enter()
        try:
            while True:
                with self._lock:  # also if another thread has taken what was put: it may still be at it
                    self._owner = me
                    try:
                        while self._queue:
                            function, *args = self._queue.popleft()
                            function(*args)
                        if not self._awake and self._text.due() is not None:
                            self._wake()
                    finally:
                        self._owner = None
                if not self._queue:
                    break
        finally:
            self._interrupts.leave()

    def _begin(self, statement):
        self._text.end()
        self.statement = statement

    def _done(self, event):
        self._text.end()
        pieces = _pieces(event)
        # No handler runs between these two: either both happen or none.
        self.statement = None
        self._pieces.extend(pieces)
        self._pump()

    def _event(self, event):
        if event["event"] == "display":
            event["id"] = self.statement
            self._text.flush(True)
        self._pieces.extend(_pieces(event))
        self._pump(self._await_raw)

    def _send_text(self, name, text):
        self._pieces.append(
            b'{"event":"stream","id":%s,"name":"%s","text":%s}\n'
            % (json.dumps(self.statement).encode(), name.encode(), encode_basestring_ascii(text).encode())
        )
        self._pump(self._await_raw)

    def _await_raw(self):
        """Waits until the host has read what came from programs and C code before: it reads one pipe after the other.

        A child that writes without a pause must not slow prints down: after a wait in vain there is no other one until
        the pipes have been seen empty.
        """
        end = None
        try:
            while any(ioctl(fd, FIONREAD, _NOTHING) != _NOTHING for fd in self.raw):
                now = monotonic()
                end = end or now + _READ_WITHIN
                if not self._awaits_raw or now > end:
                    self._awaits_raw = False
                    return
                sleep(_NAP)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise  # a signal handler's
            self.raw = ()  # a cell has closed them
        self._awaits_raw = True

    def _pump(self, first=None):
        """Writes all pieces, even if a signal handler of the user's raises in between; then that is raised."""
        raised = None
        while True:
            try:
                if first is not None:
                    first()
                    first = None
                while True:
                    self._pipe.flush()
                    if not self._pieces:
                        break
                    # Into the empty buffer, which takes it whole.
                    one = itertools.islice(iter(self._pieces.popleft, None), 1)
                    collections.deque(map(self._pipe.write, one), 0)
                break
            except OSError as error:
                if error.errno == errno.EPIPE:
                    os._exit(1)  # nobody is there to hear it
                if error.errno == errno.EBADF:
                    _die_of_closed_pipe()
                raised = error
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised

    # A thread sends unfinished lines when they are due. It sleeps on the bell while there are none.

    def _wake(self):
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_when_due, name="remora-flush", daemon=True)
            try:
                self._flusher.start()
            except RuntimeError:  # the process is ending, or may not have more threads
                self._flusher = None
                self._text.flush(True)
                return
        self._awake = True
        self._bell.put(None)

    def _flush_when_due(self):
        while True:
            self._bell.get()
            while True:
                self._put(self._flush_due)
                if not self._awake:
                    break
                sleep(self._wait)

    def _flush_due(self):
        wait = self._text.due()
        if wait is not None and wait <= 0:
            self._text.flush(True)
            wait = None
        self._awake = wait is not None
        self._wait = wait or 0


def _die_of_closed_pipe():
    try:
        os.write(2, b"remora session: the code has closed the pipe of events, as os.closerange(3, ...) does\n")
    finally:
        os._exit(1)


def _pieces(event):
    data = json.dumps(event).encode() + b"\n"
    return [data[i : i + _PIECE] for i in range(0, len(data), _PIECE)]


def _write_text(name, text):
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1 if name == "stdout" else 2, data) :]
