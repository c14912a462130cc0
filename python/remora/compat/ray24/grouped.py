"""Groups as in Ray 2.4: `map_groups` gets a DataFrame, keys may be functions of plain objects."""

from ray.data import ActorPoolStrategy, Dataset, TaskPoolStrategy
from ray.data.aggregate import AggregateFn
from ray.data.grouped_data import GroupedData

from . import batches, strategies
from .patching import method
from .plain import PLAIN, pack, row_in, row_out
from .tables import of_objects

_KEY = "__group_key__"
_map = Dataset.map
_groupby = Dataset.groupby
_map_groups = GroupedData.map_groups


class PlainGroups:
    """Groups of plain objects by a function. Aggregates are plain tuples (key, value …), as 2.4 gave them."""

    def __init__(self, ds, key):
        self._rows = _map(ds, lambda row: {_KEY: pack(key(row_in(row))), **row})

    def count(self):
        return _tuples(_groupby(self._rows, _KEY).count())

    def aggregate(self, *aggregations):
        return _tuples(_groupby(self._rows, _KEY).aggregate(*map(of_objects, aggregations)))

    def map_groups(self, fn, *, compute=None, batch_format="default", **options):
        compute = strategies.resolve(compute)
        if not (compute is None or isinstance(compute, TaskPoolStrategy)):
            raise ValueError("map_groups: groups by a function run as tasks; group by a column, or leave `compute` out")

        def group(block):
            import pyarrow

            values = block.select([PLAIN]) if isinstance(block, pyarrow.Table) else block[[PLAIN]]
            return batches.batch_out(fn(batches.batch_in(values, batch_format)))

        return _map_groups(_groupby(self._rows, _KEY), group, compute=compute, batch_format=None, **options)

    def _aggregate(self, name, on, *args, **options):
        rows = self._rows
        if on is not None:
            rows = _map(rows, lambda row: {_KEY: row[_KEY], PLAIN: pack(on(row_in({PLAIN: row[PLAIN]})))})
        return _tuples(getattr(_groupby(rows, _KEY), name)(PLAIN, *args, **options))


def _tuples(ds):
    return _map(ds, lambda row: row_out(tuple(row_in({PLAIN: v}) for v in row.values())))


def _without_key(row):
    return {name: value for name, value in row.items() if name != _KEY} if _KEY in row else row


def _aggregate(name):
    def aggregate(self, on=None, *args, **options):
        return self._aggregate(name, on, *args, **options)

    setattr(PlainGroups, name, aggregate)


for _name in ("sum", "min", "max", "mean", "std"):
    _aggregate(_name)


def apply(ray_data):
    @method(Dataset)
    def groupby(today, self, key, *args, **options):
        return PlainGroups(self, key) if callable(key) else today(self, key, *args, **options)

    @method(AggregateFn, "__init__")
    def aggregation(today, self, init, merge, accumulate_row=None, *args, name=None, **options):
        names = ("accumulate_block", "finalize")
        options.update(zip(names, args, strict=False))
        if accumulate_row is not None:
            options["accumulate_row"] = lambda total, row: accumulate_row(total, row_in(_without_key(row)))
        today(self, init=init, merge=merge, name=name or "aggregate", **options)

    @method(GroupedData)
    def map_groups(today, self, fn, *, compute=None, batch_format="default", **options):
        batch_format = batches.check_format(batch_format)
        compute = strategies.resolve(compute, fn)
        udf = batches.batch_udf(fn, batch_format, writable=True, actors=isinstance(compute, ActorPoolStrategy))
        return today(self, udf, compute=compute, batch_format=None, **options)
