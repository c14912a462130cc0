"""The source of a cell, compiled: what runs, and the last expression, whose value is shown."""

import __future__

import ast
import linecache
import re

_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_COROUTINE = 0x80  # inspect.CO_COROUTINE
_FEATURES = 0
for _name in __future__.all_feature_names:
    _FEATURES |= getattr(__future__, _name).compiler_flag
# What Glue's kernel sends on although it looks like its own, to show figures.
_SHOW = re.compile(r"%(?:matplot|plotly)\s+(\S.*?)\s*$")


class Cell:
    """Code objects that run one after the other. `shows` tells whether the last one's value is to be shown."""

    def __init__(self, codes, shows):
        self.codes = codes
        self.shows = shows

    @property
    def awaits(self):
        return any(is_coroutine(code) for code in self.codes)


def is_coroutine(code):
    return bool(code.co_flags & _COROUTINE)


class Compiler:
    """Compiles the cells of a session, for which `from __future__` holds on from cell to cell."""

    def __init__(self):
        self._flags = _TOP_LEVEL_AWAIT

    def compile(self, name, source):
        """Raises what compile raises. The source's lines are known to tracebacks from here on."""
        source = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        linecache.cache[name] = (len(source), None, [line + "\n" for line in source.split("\n")], name)
        tree, source = self._parse(name, source)
        last = tree.body[-1] if tree.body else None
        shows = isinstance(last, ast.Expr)
        codes = []
        if shows:
            tree.body.pop()
        if tree.body:
            codes.append(self._compile(tree, name, "exec"))
            self._flags |= codes[0].co_flags & _FEATURES
        if shows:
            codes.append(self._compile(ast.Expression(last.value), name, "eval"))
        return Cell(codes, shows and not _ends_in_semicolon(source, last))

    def _compile(self, tree, name, mode):
        return compile(tree, name, mode, self._flags, dont_inherit=True)

    def _parse(self, name, source):
        while True:
            try:
                return compile(source, name, "exec", self._flags | ast.PyCF_ONLY_AST, dont_inherit=True), source
            except SyntaxError as error:
                lines = source.split("\n")
                number = error.lineno or 0
                line = lines[number - 1] if 0 < number <= len(lines) else ""
                show = _SHOW.match(line)
                if show:
                    lines[number - 1] = f"display({show[1]})"
                    source = "\n".join(lines)
                    continue
                hint = _hint(line.strip())
                if hint is None:
                    raise
                raise SyntaxError(hint, (name, number, 1, line)) from None


def _hint(line):
    magic = re.match(r"(?:[\w, ]+=\s*)?(%\S*)", line)
    if magic:
        return (
            f"`{magic[1]}` is an IPython magic, and a session runs plain Python. Glue's kernel runs its own "
            "magics where they stand at the top of a cell; leave this one out (figures are shown without it)"
        )
    if line.startswith("!") or re.match(r"[\w, ]+=\s*!", line):
        return f"`{line}` is a shell command of IPython, and a session runs plain Python: use subprocess.run(…)"
    if re.fullmatch(r"\??\??[\w.]+\??\??", line) and "?" in line:
        return (
            f"`{line}` is IPython's way to ask for help, and a session runs plain Python: use help({line.strip('?')})"
        )
    return None


def _ends_in_semicolon(source, last):
    """Whether one follows the last expression; only brackets and comments can stand there too."""
    rest = source.split("\n")[last.end_lineno - 1 :]
    rest[0] = rest[0].encode()[last.end_col_offset :].decode()
    return any(";" in line.partition("#")[0] for line in rest)
