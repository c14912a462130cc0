"""A Ray job on the flights that left New York City in 2013.

What the launch walkthrough of AWS Glue for Ray did on product reviews, done on flights, in the API of today's Ray: read
Parquet from S3, look at it, add and drop columns, sort, run functions and an actor pool over pandas batches, filter, and
write Parquet back to S3.

Job parameters, which a Ray job finds in its environment:
    --input    s3:// address of the Parquet data
    --output   s3:// address to write the result to
"""

import os
import time
from contextlib import contextmanager

import pandas as pd
import ray
from ray.data import ActorPoolStrategy

INPUT = os.environ["input"]
OUTPUT = os.environ["output"]


@contextmanager
def step(title):
    print(f"-- {title}", flush=True)
    start = time.perf_counter()
    yield
    print(f"   {time.perf_counter() - start:.2f} s", flush=True)


def long_enough(batch: pd.DataFrame) -> pd.DataFrame:
    """Keeps the flights that were in the air for more than half an hour."""
    return batch[batch["air_time"] > 30]


class Punctuality:
    """Grades flights by their delay; one instance lives in each actor of the pool."""

    GRADES = ["early", "on time", "late", "very late"]

    def __init__(self):
        self.bounds = [float("-inf"), 0, 15, 60, float("inf")]

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        grades = pd.cut(batch["arr_delay"], self.bounds, labels=self.GRADES, right=False)
        return batch.assign(grade=grades.astype(str))


def main():
    ray.init("auto")
    ray.data.DataContext.get_current().enable_progress_bars = False  # they are made for a terminal
    resources = ray.cluster_resources()
    print(f"Ray {ray.__version__}: {len(ray.nodes())} nodes, {resources.get('CPU', 0):.0f} CPUs", flush=True)

    with step("read"):
        flights = ray.data.read_parquet(INPUT)
        print("   rows:", flights.count())
        print("   bytes:", flights.size_bytes())
        print(flights.schema())
        flights.show(2)

    with step("add a ratio, drop five columns, sort"):
        flights = flights.add_column(
            "delay_ratio", lambda batch: batch["arr_delay"] / batch["air_time"], batch_format="pandas"
        )
        flights = flights.drop_columns(["tailnum", "hour", "minute", "sched_dep_time", "sched_arr_time"])
        flights = flights.sort("distance", descending=True).materialize()
        flights.show(2)

    with step("a function on pandas batches"):
        flights = flights.map_batches(long_enough, batch_format="pandas").materialize()
        print("   rows:", flights.count())

    with step("a class on an actor pool of 2 to 4"):
        flights = flights.map_batches(
            Punctuality, batch_format="pandas", batch_size=16_384, compute=ActorPoolStrategy(min_size=2, max_size=4)
        ).materialize()
        flights.show(2)

    with step("two filters"):
        flights = flights.filter(lambda row: row["distance"] > 500).filter(lambda row: row["origin"] == "JFK").materialize()
        print("   rows:", flights.count())

    with step("write"):
        flights.write_parquet(OUTPUT)


if __name__ == "__main__":
    main()
