"""Shows a Ray job on Remora from end to end; `make demo` runs it.

It starts a server in a temporary data directory, loads 336,776 flights into its S3 store as Parquet, creates and starts
a job with boto3 as one would with AWS Glue, follows it, and prints what came out. Nothing is left behind, also after
Ctrl-C.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import boto3
import pandas as pd
import pyarrow.parquet as pq
from demo_data import load_flights
from demo_screen import Screen
from demo_server import Server, Stopped

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "demo"
JOB = "flights"
ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR"}


def upload(s3, screen):
    s3.create_bucket(Bucket=BUCKET)
    with tempfile.TemporaryDirectory(prefix="remora-demo-data-") as folder:
        rows, files = load_flights(Path(folder), screen.note)
        for file in files:
            s3.upload_file(str(file), BUCKET, f"flights/{file.name}")
        size = sum(f.stat().st_size for f in files)
    s3.upload_file(str(ROOT / "examples/flights.py"), BUCKET, "scripts/flights.py")
    screen.note(f"{rows:,} flights in {len(files)} Parquet files ({size / 1e6:.1f} MB) are in s3://{BUCKET}/flights/")


def submit(glue):
    glue.create_job(
        Name=JOB,
        Role="arn:aws:iam::000000000000:role/Any",
        Command={"Name": "glueray", "Runtime": "Ray2.60", "PythonVersion": "3.9",
                 "ScriptLocation": f"s3://{BUCKET}/scripts/flights.py"},
        GlueVersion="4.0", WorkerType="Z.2X", NumberOfWorkers=2,
        DefaultArguments={"--input": f"s3://{BUCKET}/flights/", "--output": f"s3://{BUCKET}/result/"},
    )
    return glue.start_job_run(JobName=JOB)["JobRunId"]


def follow(glue, logs, run_id, screen):
    """Shows state and log until the run has ended; returns the run."""
    token = None
    while True:
        run = glue.get_job_run(JobName=JOB, RunId=run_id)["JobRun"]
        screen.state(run["JobRunState"])
        while True:
            request = {"logGroupName": run["LogGroupName"] + "/script-log", "logStreamName": run_id, "startFromHead": True}
            if token:
                request["nextToken"] = token
            try:
                page = logs.get_log_events(**request)
            except logs.exceptions.ResourceNotFoundException:
                break  # nothing has been logged yet
            for event in page["events"]:
                screen.log(event["message"])
            if page["nextForwardToken"] == token:
                break
            token = page["nextForwardToken"]
        if run["JobRunState"] in ENDED:
            return run
        time.sleep(0.25)


def result(s3):
    """Reads what the job wrote and sums it up by airline."""
    frames = []
    with tempfile.TemporaryDirectory(prefix="remora-demo-data-") as folder:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="result/"):
            for item in page.get("Contents", []):
                if item["Key"].endswith("/"):
                    continue  # pyarrow marks the folder with an empty object
                local = os.path.join(folder, os.path.basename(item["Key"]))
                s3.download_file(BUCKET, item["Key"], local)
                frames.append(pq.read_table(local).to_pandas())
    flights = pd.concat(frames)
    by = flights.groupby("carrier")
    table = pd.DataFrame({
        "flights": by.size(),
        "mean delay (min)": by["arr_delay"].mean().round(1),
        "delay / air time": by["delay_ratio"].mean().round(3),
        "very late": by["grade"].apply(lambda g: f"{(g == 'very late').mean():.1%}"),
    })
    return len(flights), table.sort_values("flights", ascending=False)


def show(run, s3, screen):
    rows, table = result(s3)
    dpu_hours = run["DPUSeconds"] / 3600
    screen.print(f"\n{rows:,} long flights from JFK, by airline:\n\n{table.to_string()}\n")
    screen.print(f"state      {run['JobRunState']}")
    screen.print(f"duration   {(run['CompletedOn'] - run['StartedOn']).total_seconds():.1f} s from submission to the end, "
                 f"{run['ExecutionTime']} s of them in the script")
    screen.print(f"bill       {dpu_hours:.3f} M-DPU-hours ({run['MaxCapacity']:.0f} M-DPU, a minute at least)")


NEXT = """
Try next, with a server that stays:

  bin/remora serve &                      # state in ~/.local/share/remora
  eval "$(bin/remora env)"                # AWS CLI and SDKs now talk to it
  aws s3 mb s3://work && aws s3 cp examples/flights.py s3://work/
  aws glue create-job --name mine --role any --glue-version 4.0 --worker-type Z.2X --number-of-workers 2 \\
      --command Name=glueray,Runtime=Ray2.60,ScriptLocation=s3://work/flights.py
  aws glue start-job-run --job-name mine --arguments '{"--input": "s3://…", "--output": "s3://…"}'
  bin/remora logs -f jr_…                 # or: aws logs tail /aws-glue/ray/jobs/script-log --follow
"""


def main():
    screen = Screen()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        with Server(ROOT / "bin/remora", screen.note) as server:
            os.environ.update(server.environment())
            s3, glue, logs = boto3.client("s3"), boto3.client("glue"), boto3.client("logs")
            upload(s3, screen)
            run_id = submit(glue)
            server.runs.append((JOB, run_id))
            screen.note(f"job {JOB} started with boto3: run {run_id}")
            run = follow(glue, logs, run_id, screen)
            screen.done()
            if run["JobRunState"] != "SUCCEEDED":
                print(f"the run is {run['JobRunState']}: {run.get('ErrorMessage', '')}", file=sys.stderr)
                return 1
            show(run, s3, screen)
            screen.print(NEXT)
            return 0
    except Stopped as e:
        screen.done()
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        screen.done()
        print("demo: interrupted; everything has been cleaned up", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
