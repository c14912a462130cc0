"""What a cell has as sys.stdin, sys.stdout and sys.stderr, and as descriptors 0, 1 and 2."""

import codecs
import fcntl
import io
import os
import stat
import sys


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr: text goes to the host, and to the descriptor itself in a forked child."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    mode = "w"
    line_buffering = True
    write_through = False

    def __init__(self, name, fd, channel):
        self._stream, self._fd, self._channel = name, fd, channel
        self._shut = False
        self.name = f"<{name}>"
        self.buffer = _Bytes(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._shut:
            raise ValueError("I/O operation on closed file.")
        if text:
            self._channel.text(self._stream, text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        if self._shut:
            raise ValueError("I/O operation on closed file.")
        self._channel.flush()

    def fileno(self):
        return self._fd

    def isatty(self):
        return False

    def readable(self):
        return False

    def writable(self):
        return True

    def reconfigure(self, **options):
        """There is nothing to choose: UTF-8, whole lines at once."""

    # A cell may close the stream for itself; the next one has it again, and so do all that refer to it.

    @property
    def closed(self):
        return self._shut

    def close(self):
        self._shut = True

    def reopen(self):
        self._shut = False


class _Bytes(io.BufferedIOBase):
    """sys.stdout.buffer: UTF-8 for the same stream, in order with its text."""

    def __init__(self, stream):
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data):
        self._stream.write(self._decode(bytes(data)))
        return memoryview(data).nbytes

    def flush(self):
        if not self._stream.closed:
            self._stream.flush()

    def fileno(self):
        return self._stream.fileno()

    def isatty(self):
        return False

    def writable(self):
        return True

    def close(self):
        """A wrapper around it closes it with itself, which must not take the stream along."""


class Streams:
    """The streams of a session, and what they need to be there at the start of each statement."""

    def __init__(self, channel):
        self.stdout = Stream("stdout", 1, channel)
        self.stderr = Stream("stderr", 2, channel)
        # The descriptors as they were, for cells that close or redirect theirs.
        self._kept = []
        for fd in (0, 1, 2):
            try:
                copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, channel.fd)
            except OSError:
                continue
            self._kept.append((fd, copy, _identity(copy)))
        channel.raw = tuple(copy for fd, copy, _ in self._kept if fd and stat.S_ISFIFO(os.fstat(copy).st_mode))

    @property
    def errors_fd(self):
        """A descriptor for last words that no cell closes by mistake."""
        return next((copy for fd, copy, _ in self._kept if fd == 2), 2)

    def restore(self):
        for fd, copy, identity in self._kept:
            if _identity(fd) != identity:
                os.dup2(copy, fd)
        for stream in (self.stdout, self.stderr):
            stream.reopen()
        sys.stdout, sys.stderr = self.stdout, self.stderr
        if sys.stdin is None or sys.stdin.closed:
            sys.stdin = open(0, closefd=False)


def _identity(fd):
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino
