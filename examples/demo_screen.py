"""The demo's output: a live view on a terminal, plain lines elsewhere."""

import shutil
import sys
import time


class Screen:
    """Log lines scroll; on a terminal the last line shows the run's state and its age."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.since = None
        self.current = None

    def print(self, text):
        self._clear()
        print(text, flush=True)

    def note(self, text):
        self.print(f"* {text}")

    def log(self, line):
        self.print(f"    {line}")
        self._status()

    def state(self, state):
        if self.since is None:
            self.since = time.monotonic()
        if state != self.current:
            self.current = state
            self.note(f"{state} after {time.monotonic() - self.since:.1f} s")
        self._status()

    def done(self):
        """The run has ended; the next one's age counts from its own start."""
        self._clear()
        self.current = self.since = None

    def _status(self):
        if self.live and self.current:
            text = f" {self.current} {time.monotonic() - self.since:.0f} s   (Ctrl-C stops and cleans up) "
            width = shutil.get_terminal_size().columns
            sys.stdout.write(f"\r\x1b[7m{text[:width]}\x1b[0m")
            sys.stdout.flush()

    def _clear(self):
        if self.live:
            sys.stdout.write("\r\x1b[K")
