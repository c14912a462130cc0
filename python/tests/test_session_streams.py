"""Output of cells: in order, while they run, bounded, readable; and streams that survive what cells do to them."""

import time

import pytest
from test_session_host import Host


def test_lines_come_while_the_statement_runs():
    with Host() as host:
        # The cell waits for a byte that is sent once its line has come.
        host.start("import os\nprint('one')\nr, w = os.pipe()\nprint(os.getpid(), w)\nos.read(r, 1)\nprint('two')")
        host.until("one\n")
        pid, fd = host.line("no second line").split()
        with open(f"/proc/{pid}/fd/{fd}", "wb", 0) as pipe:
            pipe.write(b"x")
        assert host.result().out == "two\n"


def test_an_unfinished_line_comes_soon():
    with Host() as host:
        host.start("import threading\nprint('...', end='')\nthreading.Event().wait()")
        assert host.until("...") == "..."
        host.interrupt()
        assert host.result().status == "cancelled"


def test_stdout_and_stderr_stay_in_order():
    code = "import sys\nfor i in range(50):\n    print(i, end='')\n    print(i, end=';', file=sys.stderr)\n    print()"
    with Host() as host:
        result = host.run(code)
        text = "".join(text for _, text in result.streams)
        assert text == "".join(f"{i}{i};\n" for i in range(50))
        assert result.err == "".join(f"{i};" for i in range(50))
        assert result.kinds[-1] == "done"


def test_binary_output_is_in_order_with_text():
    with Host() as host:
        code = (
            "import io, sys\nprint('a', end='')\nsys.stdout.buffer.write('ä'.encode()[:1])\n"
            "sys.stdout.buffer.write('ä'.encode()[1:] + bytes([255]))\nprint('b')\n"
            "io.TextIOWrapper(sys.stdout.buffer, 'utf-8').write('c\\n')\nprint('d')"
        )
        assert host.run(code).out == "aä\ufffdb\nc\nd\n"


def test_descriptors_and_programs_write_to_the_pipes():
    with Host() as host:
        host.do(
            "import os, subprocess, sys; os.write(1, b'raw '); subprocess.run(['echo', 'echoed'], stdout=sys.stdout)"
        )
        host.until_raw(1, "raw echoed\n")
        host.do("subprocess.run('echo oops >&2', shell=True, stderr=sys.stderr)")
        host.until_raw(2, "oops\n")


def test_a_progress_bar_is_one_line():
    with Host() as host:
        bar = "for i in range(0, 101, 5):\n    print(f'\\r{i:3}% done', end='', file=sys.stderr, flush=True)\n"
        start = time.monotonic()
        result = host.run(f"import sys\n{bar}print(file=sys.stderr)\nprint('next')")
        took = time.monotonic() - start
        shown = []
        for piece in result.err.split("\r"):  # as the contract tells the host to read it
            shown[-1:] = [piece]
        assert shown == ["100% done\n"]
        assert result.err.count("\r") <= 2 + 2 * took  # the first, the last, and two a second
        assert result.out == "next\n"


def test_a_slow_progress_bar_is_seen_moving_but_not_too_often():
    bar = (
        "import time\nend = time.monotonic() + 1.3\nn = 0\n"
        "while time.monotonic() < end:\n    n += 1\n    print(f'\\r{n}', end='', flush=True)\n    time.sleep(0.001)\n"
    )
    with Host() as host:
        result = host.run(bar + "print()")
        pieces = [text for _, text in result.streams]
        assert 2 <= len(pieces) <= 5
        assert all(piece.startswith("\r") for piece in pieces[1:] if piece != "\n")


@pytest.mark.parametrize(
    "written, shown",
    [
        ("a\\rb\\n", "b\n"),
        ("a\\r\\n", "a\n"),
        ("x\\ny\\rz\\nw", "x\nz\nw"),
        ("\\r\\r\\rend\\n", "end\n"),
        ("kept\\r", "kept\r"),
        ("\\r\\n\\n", "\n\n"),
    ],
)
def test_carriage_returns(written, shown):
    with Host() as host:
        assert host.run(f"import sys; _ = sys.stdout.write('{written}')").out == shown


def test_much_output_comes_whole_and_in_bounded_pieces():
    with Host() as host:
        size = 100 << 20
        host.start(
            "import resource\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"line = 'x' * 1023\nfor _ in range({size >> 10}):\n    print(line)\n"
            "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before"
        )
        seen, longest = 0, 0
        while (event := host.next("the output stops"))["event"] == "stream":
            seen += len(event["text"])
            longest = max(longest, len(event["text"]))
        assert seen == size
        assert longest <= 16384
        assert int(event["data"]["text/plain"]) < 20_000  # KiB


def test_one_huge_string():
    with Host() as host:
        result = host.run("print('ä' * 3_000_000)")
        assert result.out == "ä" * 3_000_000 + "\n"
        assert max(len(text) for _, text in result.streams) <= 16384


def test_a_writer_waits_for_a_slow_host():
    with Host() as host:
        # The reader of events waits for us: it puts into a queue of one.
        host.events.maxsize = 1
        host.start("import threading\nn = 0\nfor n in range(100_000):\n    print('x' * 100)\nn")
        assert host.line("no output") == "x" * 100 + "\n"
        host.interrupt()
        assert host.result().status == "cancelled"
        host.events.maxsize = 0
        assert int(host.run("n").plain) < 99_999


def test_threads_write_with_the_statement_that_runs():
    with Host() as host:
        host.do(
            "import threading\ngo, gone = threading.Event(), threading.Event()\n"
            "def late():\n    go.wait(); print('late'); gone.set()\n"
            "threading.Thread(target=late).start()"
        )
        assert host.run("go.set(); _ = gone.wait()").out == "late\n"
        host.do(
            "def later(r):\n    import os\n    os.read(r, 1); print('between')\n"
            "import os\nr, w = os.pipe()\nthreading.Thread(target=later, args=(r,)).start()\nprint(os.getpid(), w)"
        )
        fd = host.run("w").plain
        with open(f"/proc/{host.process.pid}/fd/{fd}", "wb", 0) as pipe:
            pipe.write(b"x")
        text = ""
        while text != "between\n":
            event = host.next("no text")
            assert (event["event"], event["id"], event["name"]) == ("stream", None, "stdout") and len(text) < 8
            text += event["text"]


def test_many_threads_tear_no_line():
    code = (
        "import threading\n"
        "def work(n):\n    for i in range(300):\n        print(f'{n}-{i}\\n', end='')\n"
        "all = [threading.Thread(target=work, args=(n,)) for n in range(8)]\n"
        "for t in all: t.start()\nfor t in all: t.join()"
    )
    with Host() as host:
        lines = host.run(code).out.splitlines()
        assert sorted(lines) == sorted(f"{n}-{i}" for n in range(8) for i in range(300))
        for n in range(8):
            assert [line for line in lines if line.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(300)]


def test_a_destructor_that_prints_while_something_is_printed():
    code = (
        "import gc, sys\n"
        "class Noisy:\n    def __init__(self): self.me = self\n    def __del__(self): sys.stdout.write('gone\\n')\n"
        "gc.set_threshold(5)\nfor i in range(2000):\n    Noisy(); _ = sys.stdout.write(f'{i}\\n')\n"
        "gc.set_threshold(700)\n"
    )
    with Host() as host:
        lines = host.run(code).out.splitlines()
        assert [line for line in lines if line != "gone"] == [str(i) for i in range(2000)]
        assert lines.count("gone") > 1000


def test_a_signal_handler_that_raises_tears_no_event():
    """Timeouts by SIGALRM strike anywhere, also in the middle of a write to a pipe that is full."""
    code = (
        "import signal\nclass Late(Exception): pass\n"
        "def late(*_): raise Late\nsignal.signal(signal.SIGALRM, late)\ncount = 0\n"
        "for i in range(300):\n"
        "    try:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.0005 + (i % 7) * 0.0001)\n"
        "        while True: print('y' * 5000)\n"
        "    except Late: count += 1\n"
        "count"
    )
    with Host() as host:  # whose reader fails on a line that is no JSON
        result = host.run(code)
        assert result.plain == "300"
        assert set(result.out.replace("\n", "")) == {"y"}
        assert host.run("1+1").plain == "2"


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout.close(); sys.stderr.close()",
        "import os; os.close(1); os.close(2); os.close(0)",
        "import os; os.closerange(0, 10)",
        "import io, sys; sys.stdout = io.StringIO(); sys.stderr = None; sys.stdin.close()",
        "import sys; del sys.stdout, sys.stderr",
        "import os; os.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
        "import contextlib, io; contextlib.redirect_stdout(io.StringIO()).__enter__()",
    ],
)
def test_the_next_cell_has_working_streams(code):
    with Host() as host:
        host.do(code)
        result = host.run(
            "import os, sys; print('out'); print('err', file=sys.stderr); os.write(1, b'raw'); sys.stdin.read()"
        )
        assert (result.out, result.err, result.plain) == ("out\n", "err\n", "''")
        host.until_raw(1, "raw")


def test_a_closed_stream_is_closed_for_its_cell():
    with Host() as host:
        assert host.run("import sys; sys.stdout.close(); print(1)").evalue == "I/O operation on closed file."


def test_redirected_output_stays_where_it_is_sent():
    with Host() as host:
        code = (
            "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f:\n    print('x')\nf.getvalue()"
        )
        result = host.run(code)
        assert (result.out, result.plain) == ("", "'x\\n'")


def test_a_handler_keeps_its_stream():
    with Host() as host:
        host.do("import logging, sys; log = logging.getLogger('x'); log.addHandler(logging.StreamHandler(sys.stdout))")
        host.do("sys.stdout.close()")
        assert host.run("log.warning('heard')").out == "heard\n"


def test_programs_that_a_cell_starts_have_none_of_our_pipes():
    with Host() as host:
        host.do("import subprocess")
        code = "subprocess.run(['ls', '/proc/self/fd'], close_fds=False, capture_output=True, text=True).stdout"
        assert [fd for fd in eval(host.run(code).plain).split() if int(fd) >= 200] == []


def test_a_flood_without_lines_uses_no_memory():
    with Host() as host:
        result = host.run("import sys\nfor _ in range(100_000): _ = sys.stdout.write('z' * 100)")
        assert result.out == "z" * 10_000_000
