"""Children that a cell forks: they print to the descriptors, and end with their cell."""

import os
import sys

from .errors import print_error


class Children:
    """Tells a forked child from the session, and ends it."""

    def __init__(self, channel, requests):
        self._session = os.getpid()
        self._channel = channel
        self._requests = requests

    def install(self):
        os.register_at_fork(before=self._before, after_in_child=self._after_in_child)

    def here(self):
        return os.getpid() != self._session

    def end(self, error):
        """Ends a child that has come to the end of the cell, as a script would: with its exit status, and no cleanup of
        what is its parent's."""
        status = 1
        try:
            if error is None:
                status = 0
            elif not isinstance(error, SystemExit):
                print_error(error, f"In the forked process {os.getpid()}:")
            elif error.code is None or isinstance(error.code, int):
                status = (error.code or 0) & 0xFF
            else:
                print(error.code, file=sys.stderr)
            self._channel.flush()
        finally:
            os._exit(status)

    def _before(self):
        # What waits to be sent is sent once, by the parent.
        if not self.here():
            self._channel.flush()

    def _after_in_child(self):
        if self._channel.child:
            return
        self._channel.forked()
        try:
            os.close(self._requests.fd)
        except OSError:
            pass
