"""Text that has been written and not yet sent: at most one unfinished line."""

from time import monotonic

# An event has no more characters of text than this.
LIMIT = 16384
# Seconds for which an unfinished line waits for its end.
_SOON = 0.05
# Seconds between two states of a line that is drawn again and again, such as a progress bar.
_REDRAW = 0.5


class Pending:
    """Cuts text into events: whole lines at once, an unfinished one when it is due.

    A carriage return starts the line anew, so what it overwrites is dropped. What has been sent of the line before is
    the host's to drop: the text of the next event then begins with the carriage return.
    """

    def __init__(self, send):
        self._send = send
        self._name = "stdout"
        self._part = ""
        self._since = 0.0
        self._drawn = {"stdout": 0.0, "stderr": 0.0}
        # Whether the current line of the stream has been sent in part.
        self._open = {"stdout": False, "stderr": False}

    def add(self, name, text):
        if name != self._name:
            self.flush(True)
            self._name = name
        for i in range(0, len(text), LIMIT):
            self._add(text[i : i + LIMIT] if len(text) > LIMIT else text)

    def due(self):
        """Seconds until the unfinished line is to be sent, None if there is none."""
        if not self._part:
            return None
        at = self._since + _SOON
        if "\r" in self._part:
            at = max(at, self._drawn[self._name] + _REDRAW)
        return at - monotonic()

    def flush(self, now=False):
        """Sends the unfinished line, unless it is a progress bar that was drawn a moment ago and now is not set."""
        part = self._part
        if not part:
            return
        if "\r" in part:
            time = monotonic()
            if not now and time < self._drawn[self._name] + _REDRAW:
                return
            self._drawn[self._name] = time
        self._part = ""
        self._emit(part)

    def end(self):
        """Sends all there is. What comes then begins a line."""
        self.flush(True)
        self._open = {"stdout": False, "stderr": False}

    def _add(self, text):
        started = not self._part
        part = self._part + text
        if "\r" in part:
            *whole, last = part.split("\n")
            lines = [*(_overwrite(line.rstrip("\r")) for line in whole), _overwrite(last)]
            part = "\n".join([lines[0], *(line.lstrip("\r") for line in lines[1:])])
        end = part.rfind("\n") + 1
        if end:
            self._part = part[end:]
            self._emit(part[:end])
            started = True
        else:
            self._part = part
        if len(self._part) > LIMIT:
            self.flush(True)
        elif started and self._part:
            self._since = monotonic()

    def _emit(self, text):
        if text[0] == "\r" and not self._open[self._name]:
            text = text.lstrip("\r")
        if not text:
            return
        self._open[self._name] = text[-1] != "\n"
        for i in range(0, len(text), LIMIT):
            self._send(self._name, text[i : i + LIMIT])


def _overwrite(line):
    """The line as its last carriage return with text after it leaves it, behind one that stands for all of them."""
    text = line.rstrip("\r")
    start = text.rfind("\r")
    if start >= 0:
        text = "\r" + text[start + 1 :]
    return text + "\r" if line.endswith("\r") else text
