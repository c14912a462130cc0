"""Forked children and other processes of a cell."""

import pytest
from test_session_host import Host


def test_a_forked_child_prints_to_the_pipe_and_ends_with_its_cell():
    with Host() as host:
        host.do("import os, atexit; atexit.register(print, 'at exit')")
        result = host.run(
            "print('before', end='')\npid = os.fork()\nprint('child' if pid == 0 else 'parent')\n"
            "if pid == 0:\n    last = 3\nelse:\n    last = os.waitpid(pid, 0)[1]\nlast"
        )
        assert result.out == "beforeparent\n"
        assert result.plain == "0"
        assert result.kinds.count("done") == 1
        host.until_raw(1, "child\n")
        assert "at exit" not in host.said(1)
        assert host.run("'one session'").plain == "'one session'"


@pytest.mark.parametrize(
    "code, status, word",
    [
        ("raise SystemExit(5)", 5, ""),
        ("import sys; sys.exit('reason')", 1, "reason"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("import sys; sys.stderr.close(); 1 / 0", 1, ""),
        ("display(5); input()", 1, "RuntimeError: input()"),
    ],
)
def test_how_a_child_ends(code, status, word):
    with Host() as host:
        result = host.run(
            "import os\npid = os.fork()\nif pid == 0:\n    "
            + code
            + "\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
        )
        assert result.plain == str(status)
        host.until_raw(2, word)
        assert (result.out, result.err) == ("", "")


def test_a_child_that_stays_keeps_none_of_our_pipes():
    with Host() as host:
        host.do("import os, time\nr, w = os.pipe()\npid = os.fork()\nif pid == 0:\n    os.read(r, 1); os._exit(0)")
        pid = host.run("pid").plain
        host.start("os._exit(9)")
        assert host.next("the events do not end") is None
        assert host.wait() == 9
        with open(f"/proc/{pid}/comm"):  # it lives, until the harness ends the process group
            pass


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method):
    with Host() as host:
        host.do("x = 'state'\nprint('ran')")
        code = (
            "import math, multiprocessing, os\n"
            f"context = multiprocessing.get_context('{method}')\n"
            "with context.Pool(2) as pool:\n    roots = pool.map(math.sqrt, [4, 9])\nroots"
        )
        result = host.run(code)
        assert result.plain == "[2.0, 3.0]"
        assert "ran" not in result.out + host.said(1)  # the cells did not run again


def test_multiprocessing_by_fork_knows_the_cells_functions():
    with Host() as host:
        host.do("import multiprocessing\ndef double(x):\n    print('in', x)\n    return x * 2")
        result = host.run(
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n    all = pool.map(double, [1, 2])\nall"
        )
        assert result.plain == "[2, 4]"
        host.until_raw(1, "in 1\n")
        assert (
            host.run(
                "import concurrent.futures as c\n"
                "with c.ProcessPoolExecutor(1, multiprocessing.get_context('fork')) as p:\n"
                "    y = p.submit(double, 4).result()\ny"
            ).plain
            == "8"
        )


def test_a_fork_while_other_threads_print():
    code = (
        "import os, threading\nstop = False\n"
        "def noise():\n    while not stop: print('n')\n"
        "all = [threading.Thread(target=noise) for _ in range(3)]\nfor t in all: t.start()\n"
        "codes = []\n"
        "for _ in range(20):\n    pid = os.fork()\n    if pid == 0:\n        print('c'); os._exit(0)\n"
        "    codes.append(os.waitpid(pid, 0)[1])\n"
        "stop = True\nfor t in all: t.join()\ncodes"
    )
    with Host() as host:
        result = host.run(code)
        assert result.plain == str([0] * 20)
        assert set(result.out) == {"n", "\n"}
        host.until_raw(1, "c\n" * 20)
