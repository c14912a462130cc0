"""A plain Python workload, spread out by changing one import.

For each airport it looks for the nearest others: great-circle distances from everywhere to everywhere, in plain
Python. It is written for `multiprocessing.Pool`. With Ray's `Pool` the same code runs on all CPUs of the cluster
instead of those of one machine, and gives the same result.

    aws s3 cp examples/pool.py s3://work/
    aws glue create-job --name pool --role any --glue-version 4.0 --worker-type Z.2X --number-of-workers 2 \\
        --command Name=glueray,Runtime=Ray2.60,ScriptLocation=s3://work/pool.py \\
        --default-arguments '{"--input": "s3://work/airports.csv", "--output": "s3://work/nearest.csv"}'
    aws glue start-job-run --job-name pool
    aws glue start-job-run --job-name pool --arguments '{"--pool": "multiprocessing"}'    # to compare

Job parameters, which a Ray job finds in its environment:
    --input    s3:// address of the airports, CSV with the columns faa, lat and lon
    --output   s3:// address of the CSV file to write: airport, neighbour, kilometres
    --pool     "ray", which is the default, or "multiprocessing"

It prints how many workers of the pool did how much in what time.
"""

import csv
import functools
import io
import os
import time
from heapq import nsmallest
from math import asin, cos, radians, sin, sqrt

import boto3

POOL = os.environ.get("pool", "ray")
if POOL == "multiprocessing":
    from multiprocessing import Pool
else:
    from ray.util.multiprocessing import Pool  # all that changes

EARTH_RADIUS = 6371.0088  # km, the mean
NEIGHBOURS = 3


def distance(a, b):
    """Kilometres between two airports along the great circle, by the haversine formula."""
    (_, lat_a, lon_a), (_, lat_b, lon_b) = a, b
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS * asin(sqrt(h))


def nearest(airport, airports):
    """The process that did the work, and the rows of the result for one airport."""
    found = nsmallest(NEIGHBOURS, ((distance(airport, other), other[0]) for other in airports if other != airport))
    return os.getpid(), [(airport[0], code, f"{km:.3f}") for km, code in found]


def s3_object(address):
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return boto3.resource("s3").Object(bucket, key)


def main():
    text = s3_object(os.environ["input"]).get()["Body"].read().decode()
    rows = csv.DictReader(io.StringIO(text))
    airports = [(row["faa"], radians(float(row["lat"])), radians(float(row["lon"]))) for row in rows]

    with Pool() as pool:
        start = time.perf_counter()
        # Not by an initializer and a global: Ray sends each function with globals of its own.
        results = pool.map(functools.partial(nearest, airports=airports), airports)
        seconds = time.perf_counter() - start

    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["airport", "neighbour", "km"])
    for _, found in results:  # in the order of the airports
        table.writerows(found)
    output = os.environ["output"]
    s3_object(output).put(Body=out.getvalue().encode())
    workers = len({pid for pid, _ in results})
    print(f"{len(airports):,} airports by {workers} workers of the {POOL} pool in {seconds:.1f} s: {output}")


if __name__ == "__main__":
    main()
