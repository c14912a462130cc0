"""Cancelling: SIGINT ends the running statement's code, and nothing else."""

import signal

import pytest
from test_session_host import Host

WAITS = {
    "Python code": "n = 0\nwhile True: n += 1",
    "time.sleep": "import time; time.sleep(1000)",
    "a lock": "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "a queue": "import queue; queue.Queue().get()",
    "a pipe": "import os; os.read(os.pipe()[0], 1)",
    "a program": "import subprocess; subprocess.run(['sleep', '1000'])",
    "select": "import select; select.select([], [], [])",
    "top-level await": "import asyncio; await asyncio.sleep(1000)",
    "an await that computes": "import asyncio\nawait asyncio.sleep(0)\nwhile True: pass",
    "a background task that computes": (
        "import asyncio\nasync def busy():\n    print('busy')\n    while True: pass\n"
        "t = asyncio.create_task(busy())\nawait asyncio.sleep(1000)"
    ),
    "asyncio.run": "import asyncio; asyncio.run(asyncio.sleep(1000))",
    "a flood of output": "while True: print('x' * 100)",
    "a comprehension in C": "sum(i for i in iter(int, 1))",
    "a repr": "class R:\n    def __repr__(self):\n        print('busy')\n        while True: pass\nR()",
}

SLEEP = "try:\n    print('in')\n    time.sleep(1000)\n"


def started(host, code):
    """Starts the code, and returns once it runs."""
    host.start("print('started')\n" + code)
    host.until("started\n")


@pytest.mark.parametrize("what", WAITS)
def test_interrupts(what):
    with Host() as host:
        host.do("import asyncio, queue, select, subprocess, threading\nkept = 5")
        started(host, WAITS[what])
        if "busy" in WAITS[what]:
            host.until("busy\n")
        host.interrupt()
        result = host.result()
        assert (result.status, result.ename) == ("cancelled", "KeyboardInterrupt")
        assert 'File "<cell 1>", line ' in result.traceback
        assert "remora" not in result.traceback
        assert host.run("kept").plain == "5"
        assert host.run("import asyncio; await asyncio.sleep(0, 6)").plain == "6"


def test_native_code_is_interrupted_when_it_returns():
    with Host() as host:
        host.do("import ctypes")
        # A C library's sleep starts again for nobody: it looks at no signal, and returns early or late.
        started(host, "ctypes.PyDLL(None).usleep(300_000)\nreached = True\nwhile True: pass")
        host.interrupt()
        assert host.result().status == "cancelled"


def test_an_interrupt_that_another_thread_took_reaches_the_code():
    """As does one that came just before a call that blocks: the call is not ended by it, but by SIGURG."""
    with Host() as host:
        host.do("import signal, threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()")
        started(
            host,
            "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
            "try: time.sleep(1000)\n"
            "finally: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})",
        )
        host.interrupt()
        result = host.result()
        assert (result.status, result.ename) == ("cancelled", "KeyboardInterrupt")
        assert host.run("1 + 1").plain == "2"


def test_code_that_runs_before_the_event_loop_comes_round_to_cancel_it_is_interrupted():
    with Host() as host:
        started(
            host,
            "import asyncio, os, signal\n"
            "loop = asyncio.get_running_loop()\n"
            "turn = loop._run_once\n"
            "def once():\n"
            "    del loop._run_once\n"
            "    os.kill(os.getpid(), signal.SIGINT)\n"
            "    turn()\n"
            "loop._run_once = once\n"
            "await asyncio.sleep(0)\n"
            "print('busy')\n"
            "while True: pass",
        )
        host.until("busy\n")
        host.signalled = True  # by itself
        assert host.result().status == "cancelled"


def test_an_interrupt_while_the_event_loop_takes_a_step_of_the_cell_cancels_it():
    """The loop's own code runs in the task's name there; an exception would leave a task that is never to run again."""
    with Host() as host:
        host.do("import asyncio, _thread, functools")
        started(
            host,
            # Called by call_soon. The first time it interrupts, and all of it is C: the handler runs in call_soon.
            "once = functools.partial(next, map(_thread.interrupt_main, [2]), None)\n"
            "asyncio.get_running_loop()._check_closed = once\n"
            "while True: await asyncio.sleep(0)",
        )
        assert host.result().status == "cancelled"
        assert host.run("await asyncio.sleep(0, 6)").plain == "6"


def test_cleanup_is_not_interrupted_by_what_wakes():
    with Host() as host:
        host.do("import asyncio, os, signal, time")
        started(
            host,
            "try:\n"
            "    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)\n"
            "    await asyncio.sleep(0)\n"
            "    while True: pass\n"
            "finally:\n"
            "    for _ in range(10):\n"
            "        os.kill(os.getpid(), signal.SIGURG)\n"
            "        time.sleep(0.01)\n"
            "    print('cleaned')",
        )
        host.signalled = True  # by itself
        assert host.result().out == "cleaned\n"


SLOW_MODULE = """
print('importing')
import time
end = time.monotonic() + 0.5
while time.monotonic() < end: pass
whole = 1 + 1
"""


def test_an_import_is_finished_before_the_interrupt(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW_MODULE)
    with Host(cwd=tmp_path) as host:
        host.start("import slow\nwhile True: pass")
        host.until("importing\n")
        host.interrupt()
        result = host.result()
        assert (result.status, result.ename) == ("cancelled", "KeyboardInterrupt")
        assert "line 2, in <module>" in result.traceback
        assert host.run("slow.whole").plain == "2"


def test_an_import_that_does_not_end_is_interrupted_all_the_same(tmp_path):
    (tmp_path / "endless.py").write_text("print('importing')\nwhile True: pass")
    with Host(cwd=tmp_path) as host:
        host.start("import endless")
        host.until("importing\n")
        host.interrupt(insist=True)
        assert host.result().status == "cancelled"


def test_an_interrupt_between_statements_is_lost():
    with Host() as host:
        host.do("x = 5")
        for _ in range(20):
            host.interrupt()
        assert host.run("sum(range(1000)); x").plain == "5"


def test_interrupts_at_any_moment_hit_one_statement_at_most():
    """Strikes at the end of statements again and again: each is done once, and the next one is never hit."""
    with Host() as host:
        statuses = set()
        for n in range(150):
            host.start(f"print('go')\nfor _ in range({n * 40}): pass\n{n}")
            host.until("go\n")
            host.interrupt()
            result = host.result()
            statuses.add(result.status)
            assert result.status == "cancelled" or result.plain == str(n)
            assert host.run("'unharmed'").plain == "'unharmed'"
        assert statuses <= {"ok", "cancelled"}


def test_code_that_handles_the_interrupt_goes_on():
    with Host() as host:
        started(host, "import time\n" + SLEEP + "except KeyboardInterrupt: pass\n7")
        host.until("in\n")
        host.interrupt()
        assert host.result().plain == "7"


def test_cleanup_runs():
    with Host() as host:
        started(host, "import asyncio\ntry:\n    print('in')\n    await asyncio.sleep(1000)\nfinally: print('cleaned')")
        host.until("in\n")
        host.interrupt()
        result = host.result()
        assert (result.status, result.out) == ("cancelled", "cleaned\n")


def test_an_interrupt_that_became_another_exception_is_one():
    with Host() as host:
        started(host, "import time\n" + SLEEP + "except KeyboardInterrupt as e: raise OSError('wrapped') from e")
        host.until("in\n")
        host.interrupt()
        result = host.result()
        assert (result.status, result.ename) == ("cancelled", "OSError")


def test_an_error_after_a_handled_interrupt_is_an_error():
    with Host() as host:
        started(host, "import time\n" + SLEEP + "except KeyboardInterrupt: pass\n1 / 0")
        host.until("in\n")
        host.interrupt()
        assert host.result().status == "error"


def test_the_next_statement_can_be_interrupted_though_a_cell_took_the_signal():
    with Host() as host:
        host.do("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
        started(host, "while True: pass")
        host.interrupt()
        assert host.result().status == "cancelled"


def test_a_signal_handler_of_the_users_works():
    with Host() as host:
        host.do("import signal, os; signal.signal(signal.SIGUSR1, lambda *_: print('handled'))")
        assert host.run("os.kill(os.getpid(), signal.SIGUSR1)").out == "handled\n"
        host.signal(signal.SIGUSR1)
        assert host.line("the handler is silent") == "handled\n"
        host.do("signal.signal(signal.SIGUSR1, lambda *_: 1 / 0)")
        host.signal(signal.SIGUSR1)
        host.until("ZeroDivisionError: division by zero\n")
        assert host.run("1").plain == "1"
