"""The job of test_runs.py: what a script of the original service does to reach its data, with no word of where it runs."""

import os
import sys
import time

import boto3
import pandas
import pyarrow.fs
import pyarrow.parquet
import ray
import ray.data

ray.init("auto")
bucket = os.environ["bucket"]

print("arguments:", os.environ["test-environment"], os.environ["both"], os.environ["fixed"])
print("a line on stderr", file=sys.stderr)
if os.environ.get("fail"):
    raise ValueError("failed as asked")
if os.environ.get("sleep"):
    print("sleeping until stopped", flush=True)
    time.sleep(3600)


@ray.remote
def square(x):
    print("a line from a task")
    return x * x


squares = sum(ray.get([square.remote(i) for i in range(10)]))
# In one piece: another thread prints what the tasks have.
print(f"\nsquares: {squares}\n", end="")

s3 = boto3.client("s3")
s3.put_object(Bucket=bucket, Key="out/boto3.txt", Body=b"boto3")
table = pandas.DataFrame({"n": range(1000)})
table.to_csv(f"s3://{bucket}/out/pandas.csv", index=False)
print("pandas:", pandas.read_csv(f"s3://{bucket}/out/pandas.csv").n.sum())
files, path = pyarrow.fs.FileSystem.from_uri(f"s3://{bucket}/out/pyarrow.parquet")
pyarrow.parquet.write_table(pyarrow.Table.from_pandas(table), path, filesystem=files)
data = ray.data.read_parquet(f"s3://{bucket}/out/pyarrow.parquet").map(lambda row: {"n": 2 * row["n"]})
print("ray.data:", data.sum("n"))
data.write_parquet(f"s3://{bucket}/out/ray/")

print("identity:", boto3.client("sts").get_caller_identity()["Account"])
print("waiting for the word", flush=True)
while s3.list_objects_v2(Bucket=bucket, Prefix="go").get("KeyCount", 0) == 0:
    time.sleep(0.1)
print("done")
