"""The walkthrough of product reviews with which AWS Glue for Ray was launched, in the API of Ray 2.4.

The script is as one wrote it in 2023, for runtime `Ray2.4`: functions get pandas batches, `ActorPoolStrategy(2, 4)` has
positional sizes, and `add_column` takes a lambda. It reads the reviews of one product category from S3, looks at them,
changes, sorts and filters them, writes them in three formats and takes them to pandas and Modin; each step is timed.
`reviews_data.py` makes the data, which are synthetic.

Job parameters, which a Ray job finds in its environment:
    --input    s3:// address of the Parquet data of one category
    --output   s3:// address below which the results are written
"""

import os
import time
from contextlib import contextmanager

import pandas as pd
import ray
from ray.data import ActorPoolStrategy

INPUT = os.environ["input"]
OUTPUT = os.environ["output"].rstrip("/")
UNUSED = ["review_body", "vine", "product_parent", "verified_purchase", "review_headline"]


@contextmanager
def step(title):
    print(f"-- {title}", flush=True)
    start = time.perf_counter()
    yield
    print(f"   {time.perf_counter() - start:.2f} s", flush=True)


def fewer_than_100_votes(batch: pd.DataFrame) -> pd.DataFrame:
    return batch[batch["total_votes"] < 100]


class Verdict:
    """Says what other customers thought of a review; one instance lives in each actor of the pool."""

    def __init__(self):
        self.bounds = [-0.01, 0.25, 0.75, 1.0]
        self.words = ["useless", "disputed", "useful"]

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        words = pd.cut(batch["helpful_ratio"], self.bounds, labels=self.words).astype(object)
        batch["verdict"] = words.where(words.notna(), "none")
        return batch


def main():
    ray.init("auto")
    ray.data.set_progress_bars(False)  # they are made for a terminal
    print(f"Ray {ray.__version__}: {ray.cluster_resources().get('CPU', 0):.0f} CPUs", flush=True)

    with step("read_parquet"):
        ds = ray.data.read_parquet(INPUT)
    with step("count, from the files' metadata"):
        print(f"   rows: {ds.count()}")
    with step("schema"):
        print(ds.schema())
    with step("size_bytes"):
        print(f"   bytes: {ds.size_bytes()}")
    with step("show"):
        ds.show(1)

    with step("add_column"):
        ds = ds.add_column("helpful_ratio", lambda batch: batch["helpful_votes"] / batch["total_votes"])
        ds.show(1)
    with step("drop_columns"):
        ds = ds.drop_columns(UNUSED)
        ds.show(1)
    with step("sort"):
        ds = ds.sort("total_votes", descending=True)
        ds.show(1)

    with step("map_batches with a function"):
        ds = ds.map_batches(fewer_than_100_votes)
        print(f"   rows: {ds.count()}")
        ds.show(1)
    with step("map_batches with a class, on 2 to 4 actors"):
        ds = ds.map_batches(Verdict, compute=ActorPoolStrategy(2, 4), batch_size=4)
        print(f"   rows: {ds.count()}")
        ds.show(1)
    with step("two filters"):
        ds = ds.filter(lambda row: row["total_votes"] > 0)
        ds = ds.filter(lambda row: row["marketplace"] == "US")
        print(f"   rows: {ds.count()}")

    for name in ("parquet", "csv", "json"):
        with step(f"write_{name}"):
            getattr(ds, f"write_{name}")(f"{OUTPUT}/{name}/")

    with step("to_pandas"):
        frame = ds.to_pandas(limit=ds.count())
        print(frame.groupby("verdict")["star_rating"].mean().round(3))
    with step("to_modin"):
        frame = ds.to_modin()
        print(frame.groupby("verdict")["star_rating"].mean().round(3))


if __name__ == "__main__":
    main()
