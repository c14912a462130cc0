"""What programs and C code print, and what Python does: two pipes, one order."""

import fcntl
import json
import os
import queue
import select
import struct
import termios
import threading
import time

from test_session_host import PATIENCE, Host


class OneReader(Host):
    """Reads events and descriptor 1 in one thread, as the Go service does: before what is in the pipe come the events
    that were written before it."""

    def __init__(self):
        super().__init__()
        self.pipe = queue.Queue()
        self.order = []

    def _read_raw(self, fd, end):
        if fd == 1:
            self.pipe.put(end)
        else:
            super()._read_raw(fd, end)

    def _read_events(self, fd):
        raw, rest = self.pipe.get(), b""
        open_ends = [fd, raw]
        ready = select.poll()
        ready.register(fd, select.POLLIN)
        ready.register(raw, select.POLLIN)
        while open_ends:
            found = dict(ready.poll())
            waiting = struct.unpack("i", fcntl.ioctl(raw, termios.FIONREAD, bytes(4)))[0] if raw in open_ends else 0
            if select.select([fd] if fd in open_ends else [], [], [], 0)[0]:
                found[fd] = select.POLLIN
            for end, most in ((fd, 1 << 16), (raw, waiting or 1)):
                data = os.read(end, most) if end in found else None
                if data == b"":
                    ready.unregister(end)
                    open_ends.remove(end)
                elif data and end == raw:
                    self.order += data.decode().splitlines()
                elif data:
                    *lines, rest = (rest + data).split(b"\n")
                    for event in map(json.loads, lines):
                        shown = event.get("text") or (event.get("data") or {}).get("text/plain", "")
                        self.order += shown.splitlines()
                        self.events.put(event)
        for end in (fd, raw):
            os.close(end)
        self.events.put(None)


def wait_long(host, seconds):
    """Lets events wait for so long that a busy machine is no reason for another order."""
    host.do(f"import os, remora.session.channel as channel; channel._READ_WITHIN = {seconds}")


def test_programs_and_prints_stay_in_order():
    with OneReader() as host:
        wait_long(host, PATIENCE)
        host.do("for i in range(300):\n    os.write(1, b'raw %d\\n' % i)\n    print('text', i)")
        assert host.order == [f"{what} {i}" for i in range(300) for what in ("raw", "text")]


def test_what_a_program_printed_stands_before_what_is_displayed():
    with OneReader() as host:
        wait_long(host, PATIENCE)
        host.do("for i in range(300):\n    os.write(1, b'raw %d\\n' % i)\n    display(i)")
        assert host.order == [line for i in range(300) for line in (f"raw {i}", f"{i}")]


class NoReader(Host):
    """Does not read descriptor 1 before it is told to."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()

    def _read_raw(self, fd, end):
        if fd == 1:
            self.go.wait(2 * PATIENCE)
        super()._read_raw(fd, end)


def test_a_pipe_that_is_never_empty_delays_prints_once():
    with NoReader() as host:
        wait_long(host, PATIENCE / 400)
        deadline = time.monotonic() + PATIENCE
        host.start("os.write(1, b'raw')\nfor i in range(600): print(i)")
        for i in range(600):
            assert host.line("no line") == f"{i}\n"
            assert time.monotonic() < deadline, f"each line waits: only {i} have come in {PATIENCE} s"
        host.result()
        host.go.set()
        host.until_raw(1, "raw")
