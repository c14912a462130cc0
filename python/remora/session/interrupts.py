"""SIGINT as the host's way to cancel: it reaches the code of a statement, and nothing else. SIGURG wakes that code."""

import signal
import threading


class Interrupts:
    """Turns SIGINT into KeyboardInterrupt while a statement's code runs in the main thread, and drops it otherwise.

    Python calls signal handlers between any two of the main thread's instructions, so what must not be torn apart, such
    as the writing of an event, stands between `enter` and `leave`: the interrupt is raised after it.
    """

    def __init__(self):
        self._main = threading.get_ident()
        self._armed = False
        self._depth = 0
        self._held = False
        # Whether an interrupt waits for the end of an import: half of a module is of no use to anyone, and stays.
        self._imports = False
        # Whether the current statement was interrupted.
        self.hit = False
        # Set while the event loop runs: is given the frame that runs, and returns True if it takes the interrupt, so
        # that none is raised here.
        self.divert = None
        # Set with it: gives back an interrupt that it took if the code runs that it is for.
        self.overdue = None
        # User code may take this one, too, and keeps it.
        signal.signal(signal.SIGURG, self._look_again)

    def begin(self):
        """Before each statement: forgets the last one's interrupt, and takes SIGINT back from whoever has it now."""
        self.hit = self._held = self._imports = False
        self._depth = 0
        if signal.getsignal(signal.SIGINT) != self._handle:
            signal.signal(signal.SIGINT, self._handle)

    def guard(self, work, *args):
        """Calls work with interrupts on. Returns what it returned and what it raised, one of the two being None."""
        try:
            try:
                self._armed = True
                return work(*args), None
            finally:
                self._armed = False
        except BaseException as error:  # also an interrupt that came after the last instruction of work
            self._armed = False
            return None, error

    def enter(self):
        if threading.get_ident() == self._main:
            self._depth += 1

    def leave(self):
        if threading.get_ident() != self._main:
            return
        self._depth -= 1
        if self._held and not self._depth:
            self._held = False
            if self._armed:
                self._strike(None)

    def _look_again(self, signum, frame):
        """Python runs the handlers of all signals that have come when a call that blocks returns for any of them. So
        what this one is for has happened already, but for an interrupt that was put off."""
        if not self._armed:
            return
        if self._imports:
            if not _in_import(frame):
                self._imports = False
                self._strike(frame)
        elif self.overdue is not None and self.overdue():
            self._strike(frame)

    def _handle(self, signum, frame):
        if not self._armed:
            return
        self.hit = True
        if not self._imports and _in_import(frame):
            self._imports = True
            return
        self._imports = False
        self._strike(frame)

    def _strike(self, frame):
        if self._depth:
            self._held = True
        elif self.divert is None or not self.divert(frame):
            raise KeyboardInterrupt


def _in_import(frame):
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
