"""The AWS SDK for pandas (awswrangler) in a job, on the job's cluster; what it writes is seen from outside by other
clients.

S3 is Remora's own. DynamoDB, Redshift and OpenSearch are elsewhere, where [aws.<service>] says:

- DynamoDB is DynamoDB Local, which AWS publishes: real, but without IAM and limits of throughput.
- OpenSearch is OpenSearch's own server code, one node, without the security plugin, so that the client's signature is
  not checked, and without the SQL plugin, so that search_by_sql is not shown. AWS's service around it is not there.
- Redshift is PostgreSQL. Redshift's own driver speaks to it in their common protocol; a relay leaves out of the first
  message what PostgreSQL refuses. Shown are a login with a password, to_sql into a table that is there, and queries.
  Not shown is what only Redshift has: its DDL (DISTSTYLE, SORTKEY), without which to_sql cannot make a table; COPY and
  UNLOAD, which wr.redshift.copy and unload are made of; its binary results; logins by IAM; the Data API.

Where a server cannot be had its test is skipped and the others run."""

import collections
import contextlib
import json
import re
import urllib.request
from pathlib import Path

import botocore.utils
import pg8000.native
import pytest
import servers
from server import Server, await_that

SCRIPT = Path(__file__).parent / "scripts" / "aws_sdk_job.py"
GROUP = "/aws-glue/ray/jobs/script-log"
BUCKET = JOB = "aws-sdk"
WORKERS, ROWS, KINDS = 2, 300, ["book", "map", "print"]
WITHIN = 240
THINGS = {n: (n * n % 251, f"{KINDS[n % 3]} {n} of {ROWS}", KINDS[n % 3]) for n in range(ROWS)}


@pytest.fixture(scope="module")
def elsewhere():
    """The servers that this machine can have, by service; and why it has not the others."""
    up, missing = {}, {}
    with contextlib.ExitStack() as stack:
        for service, kind in {"opensearch": servers.OpenSearch, "dynamodb": servers.DynamoDB,
                              "redshift": servers.PostgreSQL}.items():
            try:
                up[service] = stack.enter_context(kind())
            except servers.Unavailable as reason:
                missing[service] = f"{kind.name}: {reason}"
        for s in up.values():
            s.wait()
        yield up, missing


@pytest.fixture(scope="module")
def other(elsewhere):
    """A server that sends jobs to the services elsewhere."""
    up, _ = elsewhere
    ports = {service: s.relay.port if service == "redshift" else s.port for service, s in up.items()}
    s = Server("".join(f'[aws.{service}]\nendpoint = "http://127.0.0.1:{port}"\n' for service, port in ports.items()))
    try:
        yield s.start()
    finally:
        s.close()


@pytest.fixture(scope="module")
def of(elsewhere):
    """A function that returns a service's server, or skips the test."""
    up, missing = elsewhere
    return lambda service: up[service] if service in up else pytest.skip(missing[service])


@pytest.fixture(scope="module")
def dynamodb(of, other):
    """A client of DynamoDB Local, which keeps tables apart by access key and region: those of `remora env`."""
    of("dynamodb")
    return other.client("dynamodb", endpoint_url=other.environment["AWS_ENDPOINT_URL_DYNAMODB"])


@pytest.fixture(scope="module")
def sql(of):
    """A function that runs a statement on PostgreSQL and returns its rows."""
    s = of("redshift")
    where = {"host": "127.0.0.1", "port": s.port, "database": s.database}
    with contextlib.closing(pg8000.native.Connection(s.user_name, password=s.password, **where)) as connection:
        yield connection.run


@pytest.fixture(scope="module")
def run(request, elsewhere, other, definition):
    """A run of the script that has ended, and its log."""
    up, _ = elsewhere
    if "dynamodb" in up:
        request.getfixturevalue("dynamodb").create_table(
            TableName="things", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in [("kind", "HASH"), ("number", "RANGE")]],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t}
                                  for n, t in [("kind", "S"), ("number", "N")]])
    if "redshift" in up:
        columns = "number BIGINT, amount BIGINT, title VARCHAR(256), kind VARCHAR(256)"
        request.getfixturevalue("sql")(f"CREATE TABLE things ({columns})")
    glue, s3, logs = (other.client(name) for name in ("glue", "s3", "logs"))
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(SCRIPT), BUCKET, SCRIPT.name)
    database = servers.PostgreSQL
    arguments = {"--bucket": BUCKET, "--rows": str(ROWS), "--workers": str(WORKERS), "--database": database.database,
                 "--user": database.user_name, "--password": database.password,
                 "--pip-install": "awswrangler[opensearch,redshift]"}
    command = {**definition["Command"], "ScriptLocation": f"s3://{BUCKET}/{SCRIPT.name}"}
    glue.create_job(Name=JOB, DefaultArguments=arguments,
                    **{**definition, "Command": command, "NumberOfWorkers": WORKERS})
    id = glue.start_job_run(JobName=JOB)["JobRunId"]

    def ended():
        run = glue.get_job_run(JobName=JOB, RunId=id)["JobRun"]
        return run if "CompletedOn" in run else None

    run = await_that("the run of the AWS SDK's script ended", ended, WITHIN)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix=id)
    lines = [e["message"] for p in pages for e in p["events"]]
    assert run["JobRunState"] == "SUCCEEDED", "\n".join([str(run), *lines, other.words()])
    return lines


def test_s3(run, other):
    for line in ["distributed, on the job's cluster", "s3.read_parquet: 300 rows are the same",
                 "s3.read_parquet of a partition: 100 rows are the same", "s3.read_csv: 300 rows are the same",
                 "s3.copy_objects: 300 rows are the same"]:
        assert line in run, (line, run)
    objects = other.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="dataset/")["Contents"]
    assert {o["Key"].split("/")[1] for o in objects} == {f"kind={kind}" for kind in KINDS}
    text = other.client("s3").get_object(Bucket=BUCKET, Key="one.csv")["Body"].read().decode().splitlines()
    assert text[0] == "number,amount,title,kind"
    assert sorted(text[1:]) == sorted(f"{n},{amount},{title},{kind}" for n, (amount, title, kind) in THINGS.items())


def test_dynamodb(dynamodb, run):
    assert "dynamodb.read_items: 300 rows are the same" in run
    assert "dynamodb.read_items by key: 100 rows are the same" in run
    items = [i for page in dynamodb.get_paginator("scan").paginate(TableName="things") for i in page["Items"]]
    assert {int(i["number"]["N"]): (int(i["amount"]["N"]), i["title"]["S"], i["kind"]["S"]) for i in items} == THINGS


def test_redshift(sql, run):
    assert "redshift.read_sql_table: 300 rows are the same" in run
    assert "redshift.read_sql_query: 3 rows are the same" in run
    assert {n: tuple(rest) for n, *rest in sql("SELECT number, amount, title, kind FROM things")} == THINGS


def test_opensearch(of, run):
    address = f"http://127.0.0.1:{of('opensearch').port}/things/_search?size={ROWS}"
    assert "opensearch.search: 100 rows are the same" in run
    hits = [h["_source"] for h in json.load(urllib.request.urlopen(address, timeout=60))["hits"]["hits"]]
    assert {h["number"]: (h["amount"], h["title"], h["kind"]) for h in hits} == THINGS
    query = json.dumps({"size": 0, "aggs": {"kinds": {"terms": {"field": "kind.keyword"}}}}).encode()
    request = urllib.request.Request(address.split("?")[0], query, {"Content-Type": "application/json"})
    buckets = json.load(urllib.request.urlopen(request, timeout=60))["aggregations"]["kinds"]["buckets"]
    assert {b["key"]: b["doc_count"] for b in buckets} == collections.Counter(kind for _, _, kind in THINGS.values())


def test_names_of_services():
    """The configuration knows the names of boto3's clients that are not their service's id."""
    source = (Path(__file__).parent.parent / "internal" / "config" / "aws.go").read_text()
    known = dict(re.findall(r'^\t"(.+)": +"(.+)",$', source.split("var clientNames")[1], re.MULTILINE))
    assert known == botocore.utils.CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES
