"""How a Dataset is printed: as in Ray 2.4, without the columns that carry plain objects. Executes nothing."""

from ray.data import Dataset
from ray.data._internal.iterator.iterator_impl import DataIteratorImpl
from ray.data._internal.logical.operators import Project

from .plain import PLAIN

_LINE, _SHORTEST_NAME, _INDENT = 80, 10, " " * 3
_TYPES = {"int64": int, "double": float, "string": str, "bool": bool, "binary": bytes, "null": type(None)}


def apply(ray_data):
    Dataset.__repr__ = Dataset.__str__ = show
    DataIteratorImpl.__repr__ = lambda self: f"DatasetIterator({self._base_dataset!r})"


def show(ds):
    """The operations that are still to be done, the last one first, and what they start from."""
    dag, operations = ds._logical_plan.dag, []
    if not ds._has_computed_output():
        while dag.input_dependencies:
            # Projections are what this package adds; 2.4 had none.
            operations += [] if isinstance(dag, Project) else [dag.name]
            # Of several inputs 2.4 showed the first one.
            dag = dag.input_dependencies[0]
    lines = [*operations, _source(ds, dag, _INDENT * len(operations))]
    return "\n".join(f"{_INDENT * (depth - 1)}+- {line}" if depth else line for depth, line in enumerate(lines))


def _source(ds, dag, indent):
    blocks, rows, schema = _facts(ds, dag)
    columns = _columns(schema)
    whole = f"Dataset(num_blocks={blocks}, num_rows={rows}, schema={_braces(columns)})"
    if len(whole) <= _LINE:
        return whole
    inner = indent + _INDENT
    shown = _braces(columns)
    if len(f"{inner}schema={shown}") > _LINE and isinstance(columns, list):
        fields = ",\n".join(_field(n, t, inner + _INDENT) for n, t in columns)
        shown = f"{{\n{fields}\n{inner}}}"
    return f"Dataset(\n{inner}num_blocks={blocks},\n{inner}num_rows={rows},\n{inner}schema={shown}\n{indent})"


def _facts(ds, dag):
    """Numbers of blocks and rows, "?" where they are not known, and the schema or None."""
    done = ds._cache.get_bundle(dag)
    if done is not None:
        blocks, rows, schema = len(done.block_refs), done.num_rows(), done.schema
    else:
        blocks, rows, schema = dag.estimated_num_outputs(), dag.infer_metadata().num_rows, dag.infer_schema()
    return "?" if blocks is None else blocks, "?" if rows is None else rows, schema


def _columns(schema):
    """Names and types of columns, or a text for what has none."""
    if schema is None or not hasattr(schema, "names"):
        return "Unknown schema"
    columns = [(n, getattr(t, "__name__", t)) for n, t in zip(schema.names, schema.types, strict=True)]
    if [n for n, _ in columns] == [PLAIN]:
        return str(_TYPES.get(str(columns[0][1]), object))
    return columns


def _braces(columns):
    return columns if isinstance(columns, str) else "{" + ", ".join(f"{n}: {t}" for n, t in columns) + "}"


def _field(name, kind, indent):
    line = f"{indent}{name}: {kind}"
    if len(line) <= _LINE:
        return line
    rest = f"...: {kind}"
    return line[: max(_LINE - len(rest), _SHORTEST_NAME)] + rest
