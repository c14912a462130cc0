"""Modin on the cluster of a real job, on data on S3. Inside the job each step is compared with pandas; its last result
is compared here with sums in plain Python. A second job does the core of it, and of the AWS SDK for pandas, where the
script sees the API of Ray 2.4 and these libraries must not."""

import collections
import csv
import io
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "scripts" / "modin_job.py"
GROUP = "/aws-glue/ray/jobs/script-log"
BUCKET = JOB = "modin"
COUNTRIES = ["AT", "CH", "DE", "FR", "IT"]
CUSTOMERS = [(c, COUNTRIES[c % 5]) for c in range(60)]
# Customers from 60 on are in no country, so that kinds of merges differ.
ORDERS = [(n, n * 7 % 64, n * n % 251) for n in range(20_000)]
RAY_24 = """
import os

import awswrangler as wr
import modin.pandas as pd
import pandas
import ray
from pandas.testing import assert_frame_equal

wr.engine.initialize()
assert ray.data.range(2).take_all() == [0, 1], "the API of Ray 2.4"
bucket = f"s3://{os.environ['bucket']}"
plain = pandas.DataFrame({"order": range(300), "customer": [n % 7 for n in range(300)]})
names = pandas.DataFrame({"customer": range(7), "name": list("abcdefg")})
plain.to_parquet(f"{bucket}/orders.parquet")


def result(orders, names):
    joined = orders.merge(names, on="customer", how="left").sort_values("order", ignore_index=True)
    return joined, joined.groupby("name", as_index=False).agg(orders=("order", "count"))


def same(got, want):
    assert isinstance(got, pd.DataFrame), type(got)
    got = got.modin.to_pandas()
    types = {c: "int64" if c != "name" else "object" for c in want.columns}
    first = want.columns[0]
    assert_frame_equal(*(f[list(types)].astype(types).sort_values(first, ignore_index=True) for f in (got, want)))


wanted = result(plain, names)
got = result(pd.read_parquet(f"{bucket}/orders.parquet"), pd.DataFrame(names))
for g, w in zip(got, wanted, strict=True):
    same(g, w)
got[0].to_parquet(f"{bucket}/modin")
same(pd.read_parquet(f"{bucket}/modin"), wanted[0])
wr.s3.to_parquet(df=got[0], path=f"{bucket}/wrangler/", dataset=True, partition_cols=["name"])
assert wr.engine.get().value == "ray"
same(wr.s3.read_parquet(f"{bucket}/wrangler/", dataset=True), wanted[0])
print("all as with pandas")
"""


@pytest.fixture(scope="module")
def run(glue, s3, definition, ended):
    """A run of the script that has ended."""
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(SCRIPT), BUCKET, SCRIPT.name)
    for name, rows in {"orders": [("order", "customer", "amount"), *ORDERS],
                       "customers": [("customer", "country"), *CUSTOMERS]}.items():
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        s3.put_object(Bucket=BUCKET, Key=f"in/{name}.csv", Body=text.getvalue().encode())
    command = {**definition["Command"], "ScriptLocation": f"s3://{BUCKET}/{SCRIPT.name}"}
    glue.create_job(Name=JOB, DefaultArguments={"--bucket": BUCKET},
                    **{**definition, "Command": command, "NumberOfWorkers": 2})
    yield ended(JOB, glue.start_job_run(JobName=JOB)["JobRunId"])
    glue.delete_job(JobName=JOB)


def test_the_same_as_pandas_on_the_cluster(run, logs):
    assert run["JobRunState"] == "SUCCEEDED", run
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix=run["Id"])
    lines = [e["message"] for p in pages for e in p["events"]]
    for line in ["read_csv: as with pandas, 20000 rows", "read_parquet: as with pandas, 60 rows",
                 "groupby: as with pandas, 64 rows", "merge: as with pandas, 20000 rows",
                 "filter, merge, groupby: as with pandas, 5 rows", "to_parquet: pandas reads the same"]:
        assert line in lines, (line, lines)
    assert any(line.startswith("partitions are on the job's workers") for line in lines)


def test_the_result(run, s3):
    text = s3.get_object(Bucket=BUCKET, Key="out/countries.csv")["Body"].read().decode()
    got = {row["country"]: int(row["amount"]) for row in csv.DictReader(io.StringIO(text))}
    country, want = dict(CUSTOMERS), collections.Counter()
    for _, customer, amount in ORDERS:
        if amount >= 100 and customer in country:
            want[country[customer]] += amount
    assert got == want


def test_with_the_api_of_ray_24(glue, s3, logs, definition, ended):
    job = "modin-ray24"
    s3.create_bucket(Bucket=job)
    s3.put_object(Bucket=job, Key="script.py", Body=RAY_24.encode())
    command = {**definition["Command"], "Runtime": "Ray2.4", "ScriptLocation": f"s3://{job}/script.py"}
    glue.create_job(Name=job, DefaultArguments={"--bucket": job}, **{**definition, "Command": command})
    run = ended(job, glue.start_job_run(JobName=job)["JobRunId"])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix=run["Id"])
    lines = [e["message"] for p in pages for e in p["events"]]
    assert run["JobRunState"] == "SUCCEEDED" and "all as with pandas" in lines, (run, lines)
    glue.delete_job(JobName=job)
