"""The job of test_aws_sdk.py: the AWS SDK for pandas, as it is used anywhere else. Nothing in here says where it runs;
what is connected to by host and port is named in the environment. A service that is not named there is left out."""

import os
from urllib.parse import urlsplit

import awswrangler as wr
import modin.pandas
import pandas
import ray
from boto3.dynamodb.conditions import Key
from pandas.testing import assert_frame_equal

# Finds the job's cluster. The first call to wr would do so, but Modin comes first here and would not.
wr.engine.initialize()
bucket, rows = os.environ["bucket"], int(os.environ["rows"])
KINDS = ["book", "map", "print"]


def table(m):
    """The same rows with Modin or with pandas, the reference."""
    numbers = range(rows)
    kinds = [KINDS[n % 3] for n in numbers]
    return m.DataFrame({"number": numbers, "amount": [n * n % 251 for n in numbers],
                        "title": [f"{kind} {n} of {rows}" for n, kind in zip(numbers, kinds)], "kind": kinds})


def same(what, got, want, kind=modin.pandas.DataFrame):
    """Rows may come in any order, and columns as any type that holds the same numbers and texts."""
    assert isinstance(got, kind), type(got)
    got = got if kind is pandas.DataFrame else got.modin.to_pandas()
    types = {c: "int64" if c in ("number", "amount") else "object" for c in sorted(want.columns)}
    got, want = (f[list(types)].astype(types).sort_values("number", ignore_index=True) for f in (got, want))
    assert_frame_equal(got, want)
    print(f"{what}: {len(got)} rows are the same")


reference, frame = table(pandas), table(modin.pandas)
maps = reference[reference["kind"] == "map"]


def s3():
    path = f"s3://{bucket}/dataset/"
    written = wr.s3.to_parquet(df=frame, path=path, dataset=True, partition_cols=["kind"], mode="overwrite")
    assert wr.engine.get().value == "ray" and wr.memory_format.get().value == "modin"
    nodes = [n for n in ray.nodes() if n["Alive"]]
    assert len(nodes) == 1 + int(os.environ["workers"]) and any("CPU" not in n["Resources"] for n in nodes), nodes
    print("distributed, on the job's cluster")
    assert sorted(written["paths"]) == sorted(wr.s3.list_objects(path)), written
    same("s3.read_parquet", wr.s3.read_parquet(path, dataset=True), reference)
    one = wr.s3.read_parquet(path, dataset=True, partition_filter=lambda p: p["kind"] == "map")
    same("s3.read_parquet of a partition", one, maps)
    wr.s3.to_csv(frame, f"s3://{bucket}/one.csv", index=False)
    same("s3.read_csv", wr.s3.read_csv(f"s3://{bucket}/one.csv"), reference)
    wr.s3.copy_objects(written["paths"], source_path=path, target_path=f"s3://{bucket}/copy/")
    same("s3.copy_objects", wr.s3.read_parquet(f"s3://{bucket}/copy/", dataset=True), reference)
    wr.s3.delete_objects(f"s3://{bucket}/copy/")
    assert wr.s3.list_objects(f"s3://{bucket}/copy/") == []


def dynamodb():
    wr.dynamodb.put_df(df=frame, table_name="things")
    same("dynamodb.read_items", wr.dynamodb.read_items("things", allow_full_scan=True), reference)
    one = wr.dynamodb.read_items("things", key_condition_expression=Key("kind").eq("map"))
    same("dynamodb.read_items by key", one, maps)


def redshift(address):
    import redshift_connector

    login = {name: os.environ[name] for name in ("database", "user", "password")}
    with redshift_connector.connect(host=address.hostname, port=address.port, ssl=False, **login) as connection:
        wr.redshift.to_sql(frame, connection, table="things", schema="public", mode="append", use_column_names=True)
        got = wr.redshift.read_sql_table("things", connection, schema="public")
        same("redshift.read_sql_table", got, reference, pandas.DataFrame)
        query = "SELECT kind, sum(amount) AS amount, max(number) AS number FROM things GROUP BY kind"
        grouped = reference.groupby("kind", as_index=False).agg(amount=("amount", "sum"), number=("number", "max"))
        same("redshift.read_sql_query", wr.redshift.read_sql_query(query, connection), grouped, pandas.DataFrame)


def opensearch(address):
    client = wr.opensearch.connect(host=address.hostname, port=address.port)
    done = wr.opensearch.index_df(client, df=frame, index="things", id_keys=["number"], refresh="true")
    assert done == {"success": rows, "errors": []}, done
    query = {"query": {"match": {"title": "map"}}, "size": rows}
    same("opensearch.search", wr.opensearch.search(client, index="things", search_body=query), maps)


s3()
if "AWS_ENDPOINT_URL_DYNAMODB" in os.environ:
    dynamodb()
for service in (redshift, opensearch):
    if where := os.environ.get(f"AWS_ENDPOINT_URL_{service.__name__.upper()}"):
        service(urlsplit(where))
