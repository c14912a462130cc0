"""Reading a DatasetPipeline."""

from ray.data import DataContext, DataIterator


class PipelineIterator(DataIterator):
    """Reads windows as one stream: a batch goes on into the next window, and a shuffle buffer too, as in 2.4.

    `datasets()` is called for each reading and gives the windows.
    """

    def __init__(self, pipe, datasets):
        self._pipe = pipe
        self._datasets = datasets

    def _to_ref_bundle_iterator(self):
        return self._bundles(self._datasets()), None, None

    def _bundles(self, datasets):
        for ds in datasets:
            bundles, _, executor = ds._execute_to_iterator()
            try:
                yield from bundles
            finally:
                if executor is not None:
                    executor.shutdown(force=True)

    def schema(self):
        return self._pipe.schema()

    def stats(self):
        return self._pipe.stats()

    def get_context(self):
        return DataContext.get_current()

    def __repr__(self):
        return f"DatasetIterator({self._pipe!r})"
