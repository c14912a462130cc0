"""What a statement's value looks like, and what a cell finds around it."""

import os
import sys

import pytest
from test_session_host import Host

HTML = "class T:\n    def __repr__(self): return 'plain'\n"


@pytest.mark.parametrize(
    "code, plain",
    [
        ("1 + 1", "2"),
        ("x = 5\nx", "5"),
        ("x = 5", None),
        ("None", None),
        ("", None),
        ("# only a comment", None),
        ("1 + 1;", None),
        ("(1 + 1);  # quiet; really", None),
        ("'a;b'  # not; quiet", "'a;b'"),
        ("('ä' +\n 'b')  # loud", "'äb'"),
        ("f'{1}' \\\n 'x'", "'1x'"),
        ("1\r\n2", "2"),
        ("\ufeff1", "1"),
        ("def f(): pass", None),
        ("for i in range(3): i", None),
        ("if True: 5", None),
        ("print", "<built-in function print>"),
        ("x: int = 3\n__annotations__", "{'x': <class 'int'>}"),
    ],
)
def test_plain_values(code, plain):
    with Host() as host:
        assert host.run(code).plain == plain


def test_the_last_value_has_a_name():
    with Host() as host:
        host.do("6 * 7")
        host.do("None")
        host.do("8;")
        assert host.run("_ + 1").plain == "43"
        host.do("_ = 'mine'")
        host.do("5")
        assert host.run("_").plain == "'mine'"


def test_the_last_value_leaves_names_of_others_alone():
    with Host() as host:
        host.do("5")
        host.do("import gettext; gettext.install('x')")
        host.do("6")
        assert host.run("_('text')").plain == "'text'"
        host.do("import builtins; del builtins._")
        host.do("7")
        assert host.run("_").plain == "7"


@pytest.mark.parametrize(
    "body, expected",
    [
        ("def _repr_html_(self): return '<b>x</b>'", {"text/html": "<b>x</b>"}),
        ("def _repr_markdown_(self): return '# x'", {"text/markdown": "# x"}),
        ("def _repr_svg_(self): return '<svg/>'", {"image/svg+xml": "<svg/>"}),
        ("def _repr_png_(self): return b'png'", {"image/png": "cG5n"}),
        ("def _repr_html_(self): return 'ä'.encode()", {"text/html": "ä"}),
        ("def _repr_svg_(self): return b'<svg/>'", {"image/svg+xml": "<svg/>"}),
        ("def _repr_jpeg_(self): return b'jpg', {}", {"image/jpeg": "anBn"}),
        ("def _repr_html_(self): return None", {}),
        ("def _repr_html_(self): raise NotImplementedError", {}),
        (
            "def _repr_mimebundle_(self, include, exclude): return {'text/html': 'h', 'text/plain': 'p'}",
            {"text/html": "h", "text/plain": "p"},
        ),
        ("def _repr_mimebundle_(self, **_): return {'image/png': b'png', 'app/x+json': {}}, {}", {"image/png": "cG5n"}),
        (
            "def _repr_mimebundle_(self, **_): return {'text/plain': 'p'}\n    def _repr_html_(self): return 'h'",
            {"text/html": "h", "text/plain": "p"},
        ),
        ("def __getattr__(self, name): return lambda *a, **k: 'trap'", {}),
    ],
)
def test_rich_values(body, expected):
    with Host() as host:
        result = host.run(f"{HTML}    {body}\nT()")
        assert result.data == {"text/plain": "plain", **expected}
        assert host.run("T").data == {"text/plain": "<class '__main__.T'>"}


def test_values_that_show_themselves():
    with Host() as host:
        own = f"{HTML}    def _ipython_display_(self): print('shown')\n"
        result = host.run(own + "display(T())\nT()")
        assert (result.out, result.data, result.displays) == ("shown\nshown\n", None, [])
        result = host.run(own + "    def _repr_html_(self): return 'h'\nT()")
        assert (result.out, result.data) == ("", {"text/plain": "plain", "text/html": "h"})
        result = host.run(f"{HTML}    def _ipython_display_(self): raise NotImplementedError\nT()")
        assert (result.err, result.plain) == ("", "plain")


def test_a_representation_that_fails_is_reported_and_the_others_are_shown():
    with Host() as host:
        result = host.run(f"{HTML}    def _repr_html_(self): 1 / 0\nT()")
        assert result.data == {"text/plain": "plain"}
        assert "T._repr_html_ failed:" in result.err and 'File "<cell 0>", line 3' in result.err


def test_a_repr_that_raises_is_the_statements_error():
    with Host() as host:
        result = host.run("class R:\n    def __repr__(self): raise ValueError('no repr')\nR()")
        assert (result.status, result.evalue) == ("error", "no repr")
        assert 'File "<cell 0>", line 2' in result.traceback


def test_values_are_bounded():
    with Host() as host:
        plain = host.run("'a' * 5_000_000").plain
        assert 100_000 < len(plain) < 101_000 and "characters left out" in plain
        result = host.run(f"{HTML}    def _repr_html_(self): return 'h' * 9_000_000\nT()")
        assert result.data == {"text/plain": "plain"}
        assert "text/html of 9,000,000 characters is not shown" in result.err
        result = host.run("display({'text/plain': 'p' * 5_000_000}, raw=True)")
        assert len(result.displays[0]["text/plain"]) < 101_000


def test_display_is_in_order_with_output():
    with Host() as host:
        result = host.run(
            "print('a', end='')\ndisplay(1, 'two')\nprint('b')\ndisplay({'text/html': '<i>'}, raw=True)\n3"
        )
        assert result.kinds == ["stream", "display", "display", "stream", "display", "done"]
        assert result.displays == [{"text/plain": "1"}, {"text/plain": "'two'"}, {"text/html": "<i>"}]
        assert result.plain == "3"


def test_pandas_tables():
    with Host() as host:
        data = host.run("import pandas as pd\npd.DataFrame({'a': [1, 2]})").data
        assert data["text/plain"] == "   a\n0  1\n1  2"
        assert "<table" in data["text/html"]


def test_names_of_the_main_module():
    with Host() as host:
        assert host.run("__name__").plain == "'__main__'"
        assert host.run("'__file__' in globals(), 'get_ipython' in dir(__builtins__)").plain == "(False, False)"
        host.do("def f(): pass\nclass C: pass")
        assert (
            host.run("import __main__; __main__.f is f, f.__module__, C.__module__").plain
            == "(True, '__main__', '__main__')"
        )
        assert host.run("import pickle; pickle.loads(pickle.dumps(C)) is C").plain == "True"
        assert host.run("import sys; sys.argv, sys.path[0]").plain == "([''], '')"
        assert host.run("import inspect; inspect.getsource(f)").plain == "'def f(): pass\\n'"


def test_modules_of_the_working_directory(tmp_path):
    (tmp_path / "mine.py").write_text("value = 5")
    # Named as modules of the package are: those must not be in the way, nor these in theirs.
    (tmp_path / "display.py").write_text("value = 6")
    (tmp_path / "streams.py").write_text("value = 7")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "other.py").write_text("value = 8")
    with Host(cwd=tmp_path) as host:
        assert host.run("import mine, display as d, streams\nmine.value, d.value, streams.value").plain == "(5, 6, 7)"
        assert host.run("import os; os.getcwd()").plain == repr(str(tmp_path))
        assert host.run("os.chdir('sub')\nimport other\nother.value").plain == "8"


def test_what_needs_somebody_at_a_terminal():
    with Host() as host:
        assert "without a terminal" in host.run("input('name? ')").evalue
        assert host.run("import sys; sys.stdin.read()").plain == "''"
        assert "built-in function len" in host.run("help(len)").out
        assert "exit() ends the statement" in host.run("exit").plain


def test_future_features_hold_on():
    with Host() as host:
        host.do("from __future__ import annotations")
        assert host.run("def f(x: unknown): pass\nf.__annotations__").plain == "{'x': 'unknown'}"


def test_the_lines_that_glues_kernel_sends_to_show_things():
    with Host() as host:
        result = host.run(f"{HTML}    def _repr_html_(self): return 'h'\nfig = T()\n%plotly fig\n%matplot fig\n5")
        assert result.displays == [{"text/plain": "plain", "text/html": "h"}] * 2
        assert result.plain == "5"
        assert host.run("%matplot missing").ename == "NameError"


def test_environment():
    with Host(MARK="seen", MPLBACKEND="") as host:
        assert host.run("import os; os.environ['MARK']").plain == "'seen'"
        assert host.run("os.getpid()").plain == str(host.process.pid)
        assert host.run("import sys; sys.executable").plain == repr(sys.executable)
        assert os.path.exists(sys.executable)
