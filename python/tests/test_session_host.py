"""The host's side of a session, as the Go service plays it, and what the contract says about start and end."""

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest

PROGRAM = str(pathlib.Path(__file__).resolve().parents[1] / "remora" / "session" / "__main__.py")
# Seconds for anything that should happen at once, on a machine that is busy with other things.
PATIENCE = 240


class Result:
    """What came back for one statement: its events, and what was in the pipes of descriptors 1 and 2 by then."""

    def __init__(self, events, raw):
        self.done = events[-1]
        self.status = self.done["status"]
        self.data = self.done["data"]
        self.ename, self.evalue = self.done.get("ename"), self.done.get("evalue")
        self.traceback = "\n".join(self.done.get("traceback") or [])
        self.displays = [e["data"] for e in events if e["event"] == "display"]
        self.streams = [(e["name"], e["text"]) for e in events if e["event"] == "stream"]
        self.out = "".join(text for name, text in self.streams if name == "stdout")
        self.err = "".join(text for name, text in self.streams if name == "stderr")
        # A line that is torn by a busy machine is two events of a stream.
        self.kinds = [e["event"] for i, e in enumerate(events) if not (i and e["event"] == events[i - 1]["event"] == "stream")]
        self.raw = raw

    @property
    def plain(self):
        assert self.status == "ok", self.traceback
        return self.data and self.data["text/plain"]


class Host:
    """Starts an interpreter, and is its host until the end of the block, when nothing of it may be left."""

    def __init__(self, cwd=None, **env):
        self.env = {**os.environ, "REMORA_RAY_API": "", "PYTHONDONTWRITEBYTECODE": "1", **env}
        self.cwd = cwd
        self.events, self.last = queue.Queue(), -1
        self.raw = {1: [], 2: []}
        self.status = None
        # Whether a signal was sent, and which one is to be sent again every second.
        self.signalled, self.insists = False, None

    def __enter__(self):
        requests, self.requests = os.pipe()
        events, event_end = os.pipe()
        outputs = {1: os.pipe(), 2: os.pipe()}

        def place():
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 300) for fd in (requests, event_end)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-u", PROGRAM],
            stdin=subprocess.DEVNULL,
            stdout=outputs[1][1],
            stderr=outputs[2][1],
            preexec_fn=place,
            pass_fds=(3, 4),
            cwd=self.cwd,
            env=self.env,
            start_new_session=True,
        )
        for fd in (requests, event_end, outputs[1][1], outputs[2][1]):
            os.close(fd)
        self.threads = [threading.Thread(target=self._read_events, args=(events,), daemon=True)]
        for fd, (end, _) in outputs.items():
            self.threads.append(threading.Thread(target=self._read_raw, args=(fd, end), daemon=True))
        for thread in self.threads:
            thread.start()
        self.ready = self.next("the interpreter is not ready")
        assert self.ready["event"] == "ready"
        return self

    def __exit__(self, kind, error, trace):
        try:
            if self.requests is not None and self.process.poll() is None and kind is None:
                self.close()
                assert self.wait() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            if self.requests is not None:
                os.close(self.requests)
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a pipe of the interpreter is open after it has ended"

    def _read_events(self, fd):
        with os.fdopen(fd, encoding="utf-8") as lines:
            for line in lines:
                self.events.put(json.loads(line))
        self.events.put(None)

    def _read_raw(self, fd, end):
        with os.fdopen(end, "rb", 0) as pipe:
            while data := pipe.read(1 << 16):
                self.raw[fd].append(data)

    def next(self, otherwise, patience=PATIENCE):
        """The next event, None at the end of all."""
        start = time.monotonic()
        for n in itertools.count(1):
            left = start + patience - time.monotonic()
            if left <= 0:
                break
            with contextlib.suppress(queue.Empty):
                return self.events.get(timeout=min(left, 0.2) if self.signalled else left)
            if self.signalled:
                os.kill(self.process.pid, signal.SIGURG)
            if self.insists and n % 5 == 0:
                os.kill(self.process.pid, self.insists)
        pytest.fail(f"{otherwise} after {patience} s; stderr: {self.said(2)[-2000:]}")

    def send(self, line):
        os.write(self.requests, line.encode() + b"\n")

    def start(self, code):
        self.last += 1
        self.signalled, self.insists = False, None
        # From a thread: a long one does not fit into the pipe while the interpreter is busy.
        request = json.dumps({"op": "run", "id": self.last, "code": code})
        threading.Thread(target=self.send, args=(request,), daemon=True).start()
        return self.last

    def result(self, patience=PATIENCE):
        events, end = [], time.monotonic() + patience
        while not events or events[-1]["event"] != "done" or events[-1]["id"] != self.last:
            event = self.next(f"statement {self.last} is not done", end - time.monotonic())
            assert event is not None, f"the interpreter is gone: {self.process.wait()}, {self.said(2)}"
            events.append(event)
        return Result(events, {fd: self.said(fd) for fd in self.raw})

    def run(self, code, patience=PATIENCE):
        self.start(code)
        return self.result(patience)

    def do(self, code):
        """Runs what a test needs."""
        result = self.run(code)
        assert result.status == "ok", result.traceback

    def line(self, otherwise):
        """The next whole line, which may come in two events: print writes the newline by itself."""
        text = ""
        while not text.endswith("\n"):
            event = self.next(otherwise)
            assert event is not None and event["event"] == "stream", event
            text += event["text"]
        return text

    def until(self, text):
        """Waits until the running statement has written the text."""
        seen = ""
        while text not in seen:
            event = self.next(f"no {text!r} was written")
            assert event is not None and event["event"] == "stream", event
            seen += event["text"]
        return seen

    def until_raw(self, fd, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.said(fd):
            assert time.monotonic() < deadline, f"no {text!r} came from descriptor {fd}: {self.said(fd)}"
            time.sleep(0.01)

    def said(self, fd):
        return b"".join(self.raw[fd]).decode(errors="replace")

    def signal(self, number):
        os.kill(self.process.pid, number)
        self.signalled = True

    def interrupt(self, insist=False):
        """Once, so that nothing is hit twice; or again and again, for code that swallows an exception now and then."""
        self.signal(signal.SIGINT)
        self.insists = signal.SIGINT if insist else None

    def close(self):
        os.close(self.requests)
        self.requests = None

    def wait(self):
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the interpreter has not ended: {self.said(2)}")


def test_ready():
    with Host() as host:
        assert host.ready == {"event": "ready", "python": sys.version.split()[0], "pid": host.process.pid}


def test_nothing_heavy_is_loaded_at_start():
    heavy = "{'ray', 'numpy', 'pandas', 'pyarrow', 'matplotlib', 'PIL', 'asyncio'}"
    with Host() as host:
        assert host.run(f"import sys; sorted({heavy} & set(sys.modules))").plain == "[]"


@pytest.mark.parametrize("how", ["shutdown", "end of requests"])
def test_ends_cleanly(how):
    with Host() as host:
        host.do("import atexit; atexit.register(print, 'last words')")
        # A thread that never ends does not hold the end up.
        host.do("import threading; threading.Thread(target=threading.Event().wait).start()")
        if how == "shutdown":
            host.send('{"op": "shutdown"}')
        else:
            host.close()
        assert host.wait() == 0
        assert host.line("no last words") == "last words\n"
        assert host.next("the events do not end") is None


@pytest.mark.parametrize("line", ["not json", '{"op": "fly"}', "[]", '{"op": "run", "id": "1", "code": "1"}'])
def test_a_broken_request_ends_it_with_the_reason(line):
    with Host() as host:
        host.send(line)
        assert host.wait() == 2
        host.until_raw(2, "remora session:")


def test_long_code_and_all_characters():
    with Host() as host:
        text = "ä€😀\u2028\x0c" * 100_000
        assert host.run(f"len('{text}')").plain == "500000"
        assert host.run("'\\ud800 ä😀'").plain == "'\\ud800 ä😀'"
        assert host.run("print('\\ud800 ä😀')").out == "\ud800 ä😀\n"


def test_statements_run_in_order_though_sent_at_once():
    with Host() as host:
        for n in range(5):
            host.send(json.dumps({"op": "run", "id": n, "code": f"print({n})"}))
        texts, done = {}, []
        while len(done) < 5:
            event = host.next("a statement is missing")
            if event["event"] == "stream":
                texts[event["id"]] = texts.get(event["id"], "") + event["text"]
                assert event["id"] not in done
            else:
                done.append(event["id"])
        assert list(texts.items()) == [(n, f"{n}\n") for n in range(5)] and done == list(range(5))


def test_a_killed_interpreter_leaves_last_words():
    with Host() as host:
        host.start("print('before'); import ctypes; ctypes.string_at(0)")
        assert host.line("no output") == "before\n"
        assert host.next("the events do not end") is None
        assert host.wait() == -signal.SIGSEGV
        host.until_raw(2, 'File "<cell 0>", line 1')
        assert "Segmentation fault" in host.said(2)


def test_exit_without_a_word():
    with Host() as host:
        host.start("print('before'); import os; os._exit(7)")
        assert host.line("no output") == "before\n"
        assert host.next("the events do not end") is None
        assert host.wait() == 7


def test_a_session_that_cannot_reach_its_host_ends():
    with Host() as host:
        host.start("import os; os.closerange(3, 5000); print('x')")
        assert host.wait() == 1
        host.until_raw(2, "remora session: the code has closed the pipe of events")
