"""Modin on the cluster of a real job, on data on S3. Inside the job each step is compared with pandas; its last result
is compared here with sums in plain Python."""

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
