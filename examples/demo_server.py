"""A Remora server in a temporary data directory, for the time of the demo."""

import json
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import boto3

READY_WITHIN = 60  # seconds; the server itself takes well under one
STOPPED_WITHIN = 60


class Stopped(Exception):
    """The server did not start, or ended by itself."""


class Server:
    """Context manager: the server is ready inside, and gone with its runs and its folder afterwards."""

    def __init__(self, program, note):
        self.program, self.note, self.runs = program, note, []

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="remora-demo-"))
        self.log = open(self.dir / "serve.log", "wb")
        ready = self.dir / "ready.json"
        # A session of its own: Ctrl-C on the terminal is for the demo, which then stops the server in order.
        self.process = subprocess.Popen(
            [self.program, "--data-dir", self.dir / "data", "serve", "--listen", "127.0.0.1:0", "--s3-listen",
             "127.0.0.1:0", "--ready-file", ready],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            deadline = time.monotonic() + READY_WITHIN
            while not ready.exists():
                if self.process.poll() is not None:
                    raise Stopped(f"the server ended with status {self.process.returncode}:\n{self._words()}")
                if time.monotonic() > deadline:
                    raise Stopped(f"the server was not ready within {READY_WITHIN} s:\n{self._words()}")
                time.sleep(0.02)
            self.ready = json.loads(ready.read_text())
        except BaseException:
            self._end()
            raise
        self.note(f"server ready: API {self.ready['endpoint']}, S3 {self.ready['s3_endpoint']}")
        return self

    def environment(self):
        """What `remora env` prints, as a dictionary."""
        out = subprocess.run([self.program, "--data-dir", self.dir / "data", "env"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        pairs = (line[len("export "):].split("=", 1) for line in out.splitlines() if line.startswith("export "))
        return {name: value.strip("'") for name, value in pairs}

    def __exit__(self, *_):
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up takes a second; let it
        try:
            self._stop_runs()
            self._end()
        finally:
            signal.signal(signal.SIGINT, former)

    def _stop_runs(self):
        if self.process.poll() is not None or not self.runs:
            return
        glue = boto3.client("glue")
        for job, run in self.runs:
            glue.batch_stop_job_run(JobName=job, JobRunIds=[run])
        deadline = time.monotonic() + STOPPED_WITHIN
        for job, run in self.runs:
            while "CompletedOn" not in glue.get_job_run(JobName=job, RunId=run)["JobRun"]:
                if time.monotonic() > deadline:
                    raise Stopped(f"run {run} did not stop within {STOPPED_WITHIN} s; the server's log:\n{self._words()}")
                time.sleep(0.1)

    def _end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _words(self):
        return (self.dir / "serve.log").read_text(errors="replace")[-2000:]
