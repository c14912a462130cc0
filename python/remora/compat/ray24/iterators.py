"""`iter_batches` and its relatives on Dataset and DataIterator, with the formats of Ray 2.4."""

from ray.data import DataIterator, Dataset

from .batches import batch_in, check_format
from .notices import drop
from .patching import method
from .plain import row_in
from .tables import PREFETCH


def apply(ray_data):
    for cls in (Dataset, DataIterator):
        _iter_batches(cls)
        for name in ("iter_torch_batches", "iter_tf_batches", "to_tf"):
            _prefetching(cls, name)
    _prefetching(DataIterator, "to_torch")

    @method(DataIterator)
    def iter_rows(today, self, **options):
        drop(options, PREFETCH)
        return (row_in(r) for r in today(self, **options))


def _iter_batches(cls):
    @method(cls)
    def iter_batches(today, self, *, batch_format="default", _collate_fn=None, **options):
        drop(options, PREFETCH)
        batch_format = check_format(batch_format)
        found = (batch_in(b, batch_format) for b in today(self, batch_format=None, **options))
        return found if _collate_fn is None else map(_collate_fn, found)


def _prefetching(cls, name):
    @method(cls, name)
    def prefetching(today, self, *args, **options):
        drop(options, PREFETCH)
        return today(self, *args, **options)
