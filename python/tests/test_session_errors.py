"""Errors as a notebook's reader wants them."""

import builtins

import pytest
from test_session_host import Host


def lines(result):
    """The traceback without the marks below source lines, which Python's versions draw differently."""
    return [line for line in result.done["traceback"] if set(line.strip()) - set("~^")]


def test_a_traceback_is_the_users_from_its_first_line_to_its_last():
    with Host() as host:
        host.do("def f(x):\n    return 1 / x")
        result = host.run("# comment\nf(0)")
        assert (result.status, result.ename, result.evalue) == ("error", "ZeroDivisionError", "division by zero")
        assert result.data is None
        assert lines(result) == [
            "Traceback (most recent call last):",
            '  File "<cell 1>", line 2, in <module>',
            "    f(0)",
            '  File "<cell 0>", line 2, in f',
            "    return 1 / x",
            "ZeroDivisionError: division by zero",
        ]


def test_frames_of_libraries_below_the_cell_are_kept():
    with Host() as host:
        text = host.run("import json; json.loads('{')").traceback
        assert text.index("<cell 0>") < text.index("decoder.py")


def test_a_syntax_error_shows_the_line_and_the_place():
    with Host() as host:
        result = host.run("x = 1\nif x:\n    y = = 2")
        assert result.ename == "SyntaxError"
        assert result.done["traceback"][:3] == ['  File "<cell 0>", line 3', "    y = = 2", "        ^"]
        assert result.done["traceback"][-1].startswith("SyntaxError: ")
        assert host.run("eval('1 +')").traceback.count("<cell 1>") == 1


@pytest.mark.parametrize(
    "code, hint",
    [
        ("%matplotlib inline", "IPython magic"),
        ("x = 1\n%timeit x", "`%timeit` is an IPython magic"),
        ("%%time\nx = 1", "IPython magic"),
        ("!ls -l", "use subprocess.run"),
        ("files = !ls", "use subprocess.run"),
        ("x = 1\nnames = %who str", "`%who` is an IPython magic"),
        ("print?", "use help(print)"),
    ],
)
def test_ipythons_own_syntax_gets_a_hint(code, hint):
    with Host() as host:
        result = host.run(code)
        assert result.ename == "SyntaxError"
        assert hint in result.evalue
        assert 'File "<cell 0>", line ' in result.traceback
        assert host.run("text = '''\n%x\n!y'''; 5\\\n% 3").plain == "2"


def test_chained_exceptions():
    with Host() as host:
        code = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e"
        text = host.run(code).traceback
        assert text.index("ZeroDivisionError") < text.index("direct cause") < text.index("ValueError: second")
        assert text.count('File "<cell 0>"') == 2


@pytest.mark.skipif(not hasattr(builtins, "ExceptionGroup"), reason="Python 3.11 has them")
def test_exception_groups():
    with Host() as host:
        host.do("def f(): raise ValueError('one')")
        code = "try:\n    f()\nexcept Exception as e:\n    raise ExceptionGroup('all', [e])"
        result = host.run(code)
        assert result.evalue == "all (1 sub-exception)"
        assert "ValueError: one" in result.traceback and "in f" in result.traceback


@pytest.mark.parametrize(
    "code, ending",
    [
        ("class E(Exception):\n    def __str__(self): raise KeyError(1)\nraise E", "E"),
        ("class E(Exception):\n    def __str__(self): return 5\nraise E", "E"),
        ("class E(Exception):\n    __name__ = property(lambda self: 1 / 0)\nraise E('x')", "E"),
        ("raise 5", "TypeError"),
    ],
)
def test_exceptions_that_cannot_be_shown(code, ending):
    with Host() as host:
        result = host.run(code)
        assert (result.status, result.ename) == ("error", ending)
        assert host.run("1").plain == "1"


def test_a_message_that_never_ends_can_be_interrupted():
    with Host() as host:
        host.start(
            "class E(Exception):\n    def __str__(self):\n        print('now')\n        while True: pass\nraise E"
        )
        host.until("now")
        host.interrupt()
        result = host.result()
        assert result.ename == "E"
        assert host.run("1").plain == "1"


def test_recursion():
    with Host() as host:
        result = host.run("def f(): f()\nf()")
        assert result.ename == "RecursionError"
        assert "Previous line repeated" in result.traceback
        result = host.run(
            "import sys; sys.setrecursionlimit(4000)\n"
            + "".join(f"def g{i}(): g{(i + 1) % 200}()\n" for i in range(200))
            + "g0()"
        )
        assert result.ename == "RecursionError"
        assert "frames left out" in result.traceback
        assert len(result.done["traceback"]) < 500
        assert host.run("1").plain == "1"


def test_messages_are_bounded():
    with Host() as host:
        result = host.run("raise ValueError('a' * 10_000_000 + 'end')")
        assert len(result.evalue) < 9000 and result.evalue.endswith("end")
        assert len(result.traceback) < 70_000
        assert "characters left out" in result.evalue
        result = host.run("raise ValueError('line\\n' * 1_000_000)")
        assert len(result.traceback) < 70_000


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "raise SystemExit(3)", "exit(3)", "quit(3)"])
def test_exit_is_an_error_and_the_session_goes_on(code):
    with Host() as host:
        host.do("x = 5")
        result = host.run(code)
        assert (result.status, result.ename, result.evalue) == ("error", "SystemExit", "3")
        assert host.run("x").plain == "5"


def test_exhausted_memory():
    with Host() as host:
        host.do("x = 5")
        assert host.run("bytearray(1 << 60)").ename == "MemoryError"
        code = (
            "import resource\nlimits = resource.getrlimit(resource.RLIMIT_AS)\n"
            "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
            "resource.setrlimit(resource.RLIMIT_AS, (size + (256 << 20), limits[1]))\nhog = []\n"
            "while True: hog.append(bytearray(1 << 24))"
        )
        assert host.run(code).ename == "MemoryError"
        host.do("hog = None; resource.setrlimit(resource.RLIMIT_AS, limits)")
        assert host.run("x").plain == "5"


def test_an_error_keeps_no_memory():
    with Host() as host:
        host.do(
            "import gc, weakref\nclass Big: pass\ndef f():\n    global ref\n"
            "    big = Big(); ref = weakref.ref(big); 1 / 0"
        )
        assert host.run("f()").status == "error"
        assert host.run("gc.collect(); ref() is None").plain == "True"


def test_a_keyboard_interrupt_of_the_users_own_is_an_error():
    with Host() as host:
        result = host.run("raise KeyboardInterrupt('mine')")
        assert (result.status, result.ename, result.evalue) == ("error", "KeyboardInterrupt", "mine")


def test_warnings_carry_the_source():
    with Host() as host:
        result = host.run("import warnings\nwarnings.warn('beware')")
        assert result.err == "<cell 0>:2: UserWarning: beware\n  warnings.warn('beware')\n"


def test_a_warning_is_shown_once_in_each_cell():
    with Host() as host:
        code = "import warnings\nfor _ in range(3):\n    warnings.warn('beware')"
        for n in range(2):
            assert host.run(code).err == f"<cell {n}>:3: UserWarning: beware\n  warnings.warn('beware')\n"


def test_errors_in_threads_are_on_stderr():
    with Host() as host:
        result = host.run("import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()")
        assert result.status == "ok"
        assert 'File "<cell 0>", line 2' in result.err and "ZeroDivisionError" in result.err
