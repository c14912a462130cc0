"""The demo's jobs: created, started and followed with boto3 as with AWS Glue, their data and results in S3."""

import io
import time
from pathlib import Path

import boto3

SCRIPTS = Path(__file__).resolve().parent
ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR"}


class Failed(Exception):
    """A run did not succeed."""


class Jobs:
    """Runs jobs on a server, one after the other, and shows them on a screen."""

    def __init__(self, server, bucket, screen):
        self.server, self.bucket, self.screen = server, bucket, screen
        self.s3, self.glue, self.logs = boto3.client("s3"), boto3.client("glue"), boto3.client("logs")

    def upload(self, files, prefix):
        """Puts files into the bucket; returns their size in bytes."""
        for file in files:
            self.s3.upload_file(str(file), self.bucket, f"{prefix}{file.name}")
        return sum(file.stat().st_size for file in files)

    def run(self, name, script, runtime, arguments):
        """Creates a job, runs it to the end and shows its log; returns the run, which has succeeded."""
        self.s3.upload_file(str(SCRIPTS / script), self.bucket, f"scripts/{script}")
        self.glue.create_job(
            Name=name,
            Role="arn:aws:iam::000000000000:role/Any",
            Command={"Name": "glueray", "Runtime": runtime, "PythonVersion": "3.9",
                     "ScriptLocation": f"s3://{self.bucket}/scripts/{script}"},
            GlueVersion="4.0", WorkerType="Z.2X", NumberOfWorkers=2, DefaultArguments=arguments,
        )
        run_id = self.glue.start_job_run(JobName=name)["JobRunId"]
        self.server.runs.append((name, run_id))
        self.screen.note(f"job {name}, runtime {runtime}, started with boto3: run {run_id}")
        run = self._follow(name, run_id)
        self.screen.done()
        if run["JobRunState"] != "SUCCEEDED":
            raise Failed(f"the run of {name} is {run['JobRunState']}: {run.get('ErrorMessage', '')}")
        return run

    def _follow(self, name, run_id):
        """Shows state and log until the run has ended; returns the run."""
        token = None
        while True:
            run = self.glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
            self.screen.state(run["JobRunState"])
            token = self._news(run["LogGroupName"] + "/script-log", run_id, token)
            if run["JobRunState"] in ENDED:
                return run
            time.sleep(0.25)

    def _news(self, group, stream, token):
        """Shows what the log has beyond `token`; returns the token for the next time."""
        while True:
            request = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
            if token:
                request["nextToken"] = token
            try:
                page = self.logs.get_log_events(**request)
            except self.logs.exceptions.ResourceNotFoundException:
                return token  # nothing has been logged yet
            for event in page["events"]:
                self.screen.log(event["message"])
            if page["nextForwardToken"] == token:
                return token
            token = page["nextForwardToken"]

    def results(self, prefix):
        """The objects below a prefix, as files in memory."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # pyarrow marks the folder with an empty object
                    yield io.BytesIO(self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read())

    def bill(self, run):
        """Shows how the run ended, how long it took and what it cost."""
        whole = (run["CompletedOn"] - run["StartedOn"]).total_seconds()
        self.screen.print(f"state      {run['JobRunState']}")
        self.screen.print(f"duration   {whole:.1f} s from submission to the end, "
                          f"{run['ExecutionTime']} s of them in the script")
        self.screen.print(f"bill       {run['DPUSeconds'] / 3600:.3f} M-DPU-hours "
                          f"({run['MaxCapacity']:.0f} M-DPU, a minute at least)")
