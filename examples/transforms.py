"""Transforms of one data set: a task for each of its files.

Each task reads one file of flights, drops those that never left, adds the weather at departure and the age of the
plane, and writes the result under the file's own name. The tables that are joined go to Ray's object store once and are
shared by the tasks of a node; what comes back to the driver is a few sums per file. A task may run twice and do no
harm, so Ray repeats it if its node is lost or S3 does not answer.

    aws s3 cp examples/transforms.py s3://work/
    aws glue create-job --name transforms --role any --glue-version 4.0 --worker-type Z.2X --number-of-workers 2 \\
        --command Name=glueray,Runtime=Ray2.60,ScriptLocation=s3://work/transforms.py \\
        --default-arguments '{"--input": "s3://work/flights", "--weather": "s3://work/weather.csv",
                              "--planes": "s3://work/planes.csv", "--output": "s3://work/transformed"}'
    aws glue start-job-run --job-name transforms

Job parameters, which a Ray job finds in its environment:
    --input     s3:// address of a folder with Parquet files of flights
    --weather   s3:// address of the weather by the hour, CSV
    --planes    s3:// address of the planes, CSV
    --output    s3:// address of the folder for the results

It prints a line for each file, the mean delay by visibility, and the sum of it all. It fails, when the other files are
done, if one could not be transformed.
"""

import os
import sys

import pandas as pd
import ray
from pyarrow.fs import FileSelector, FileSystem

INPUT = os.environ["input"].rstrip("/")
OUTPUT = os.environ["output"].rstrip("/")


def enrich(flights, weather, planes):
    """The flights that left, with the weather at their departure and the age of the plane in years."""
    flights = flights.dropna(subset=["dep_time"])
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    flights = flights.merge(planes, on="tailnum", how="left", validate="many_to_one")
    return flights.assign(plane_age=flights["year"] - flights["built"]).drop(columns="built")


def delay_by_visibility(flights):
    """Number of flights and sum of their delays in minutes, by visibility in miles. Sums of files can be added."""
    miles = [1, 3, 9, 10]
    bands = pd.cut(flights["visib"], [0, *miles], labels=[f"to {m}" for m in miles], include_lowest=True)
    return flights.groupby(bands, observed=False)["dep_delay"].agg(["count", "sum"])


@ray.remote(max_retries=3, retry_exceptions=[OSError])
def transform(name, weather, planes):
    flights = pd.read_parquet(f"{INPUT}/{name}")
    result = enrich(flights, weather, planes)
    result.to_parquet(f"{OUTPUT}/{name}", index=False)
    return len(flights), len(result), delay_by_visibility(result)


def file_names(folder):
    files, path = FileSystem.from_uri(folder)
    return sorted(f.base_name for f in files.get_file_info(FileSelector(path)) if f.extension == "parquet")


def main():
    ray.init("auto")
    names = file_names(INPUT)
    if not names:
        sys.exit(f"there are no Parquet files in {INPUT}")
    weather = pd.read_csv(os.environ["weather"])[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]
    planes = pd.read_csv(os.environ["planes"])[["tailnum", "year"]].rename(columns={"year": "built"})
    weather, planes = ray.put(weather), ray.put(planes)  # once, not with each task

    tasks = {transform.remote(name, weather, planes): name for name in names}
    pending, failed = list(tasks), []
    read = written = 0
    delays = []
    while pending:
        [done], pending = ray.wait(pending)
        try:
            file_read, file_written, file_delays = ray.get(done)
        except ray.exceptions.RayError as e:
            failed.append(tasks[done])
            print(f"{tasks[done]}: {e}", file=sys.stderr, flush=True)
            continue
        print(f"{tasks[done]}: {file_written:,} of {file_read:,} flights", flush=True)
        read, written = read + file_read, written + file_written
        delays.append(file_delays)

    if failed:
        sys.exit(f"{len(failed)} of {len(names)} files in {INPUT} failed: {', '.join(sorted(failed))}")
    sums = sum(delays)
    print("mean delay at departure in minutes, by visibility in miles:")
    print((sums["sum"] / sums["count"]).round(1).to_string(header=False))
    print(f"{written:,} of {read:,} flights in {len(names)} files are in {OUTPUT}")


if __name__ == "__main__":
    main()
