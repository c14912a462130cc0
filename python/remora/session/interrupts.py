"""SIGINT as the host's way to cancel: it reaches the code of a statement, and nothing else. SIGURG wakes the main thread."""

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
        # Whether the current statement was interrupted.
        self.hit = False
        # Set while the event loop runs: returns True if it takes the interrupt, so that none is raised here.
        self.divert = None
        # Set with it: whether an interrupt that it took is still to come, and the code that it is for runs.
        self.overdue = None
        # User code may take this one, too, and keeps it.
        signal.signal(signal.SIGURG, self._look_again)

    def begin(self):
        """Before each statement: forgets the last one's interrupt, and takes SIGINT back from whoever has it now."""
        self.hit = self._held = False
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
                raise KeyboardInterrupt

    def _look_again(self, signum, frame):
        """Python runs the handlers of all signals that have come when a call that blocks returns for any of them. So
        what this one is for has happened already, but for an interrupt that the event loop has not come round to."""
        if self.overdue is not None and self.overdue():
            self._handle(signum, frame)

    def _handle(self, signum, frame):
        if not self._armed:
            return
        self.hit = True
        if self._depth:
            self._held = True
        elif self.divert is None or not self.divert():
            raise KeyboardInterrupt
