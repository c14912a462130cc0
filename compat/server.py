"""A Remora server of its own for the time of the tests: started as a user starts it, stopped by SIGTERM, and checked to
have left nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config

PROGRAM = Path(__file__).resolve().parent.parent / "bin" / "remora"
READY_WITHIN = 120  # seconds; the machine may be busy
STOPPED_WITHIN = 120
CLUSTERS_GONE_WITHIN = 180


def await_that(what, check, within, every=0.1):
    """Returns the first true result of check(); fails, saying what did not happen, if there is none in time."""
    deadline = time.monotonic() + within
    while not (result := check()):
        assert time.monotonic() < deadline, f"within {within} s it did not happen that {what}"
        time.sleep(every)
    return result


class Server:
    def __init__(self, config=""):
        # Not below TMPDIR, which may be too long for the addresses of unix sockets.
        self.base = Path(tempfile.mkdtemp(prefix="rc-", dir="/tmp"))
        self.data = self.base / "data"
        for name in ("home", "run", "tmp", "client"):
            (self.base / name).mkdir(mode=0o700)
        self.config = self.base / "config.toml"
        self.config.write_text(config)
        self.shm = set(os.listdir("/dev/shm"))
        self.log = open(self.base / "serve.log", "wb")
        self.process = None

    def start(self):
        """Starts the server, the first time or again on the same data, and returns when it is ready."""
        ready = self.base / "ready.json"
        self.process = subprocess.Popen(
            [PROGRAM, "--config", self.config, "--data-dir", self.data, "serve", "--listen", "127.0.0.1:0",
             "--s3-listen", "127.0.0.1:0", "--ready-file", ready],
            env=self._own_environment(), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)

        def is_ready():
            assert self.process.poll() is None, f"the server ended by itself:\n{self.words()}"
            return ready.exists()

        await_that("the server was ready", is_ready, READY_WITHIN, every=0.02)
        self.ready = json.loads(ready.read_text())
        self.environment = self.client_environment()
        return self

    def _own_environment(self):
        """The server's home is an empty folder, so that no one's configuration counts and what is written there is seen;
        the cache is the user's, since it holds the Ray environment."""
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return {"PATH": os.environ["PATH"], "HOME": str(self.base / "home"), "XDG_CACHE_HOME": cache,
                "XDG_RUNTIME_DIR": str(self.base / "run"), "TMPDIR": str(self.base / "tmp")}

    def client_environment(self):
        """What a shell has after `eval "$(remora env)"`, and nothing else but PATH and HOME."""
        script = 'eval "$("$0" --config "$1" --data-dir "$2" env)" && env -0'
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.base / "client"), "AWS_PROFILE": "stale",
                 "AWS_SESSION_TOKEN": "stale"}
        done = subprocess.run(["bash", "-c", script, PROGRAM, self.config, self.data], env=clean, check=True,
                              stdout=subprocess.PIPE)
        variables = dict(v.split("=", 1) for v in done.stdout.decode().split("\0") if v)
        return {k: v for k, v in variables.items() if k in clean or k.startswith("AWS_")}

    @property
    def endpoint(self):
        return self.ready["endpoint"]

    @property
    def keys(self):
        return self.environment["AWS_ACCESS_KEY_ID"], self.environment["AWS_SECRET_ACCESS_KEY"]

    def client(self, service, **overrides):
        """A boto3 client that knows what `remora env` says."""
        env = self.environment
        settings = {"endpoint_url": env["AWS_ENDPOINT_URL_S3" if service == "s3" else "AWS_ENDPOINT_URL"],
                    "region_name": env["AWS_DEFAULT_REGION"], "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
                    "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
        config = overrides.pop("config", Config())
        quick = Config(connect_timeout=60, read_timeout=120)
        return boto3.session.Session().client(service, config=quick.merge(config), **{**settings, **overrides})

    def words(self):
        """The end of what the server has printed."""
        log = self.base / "serve.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else "the server's folder is gone"

    def stop_runs(self):
        """Stops all runs: a server that is stopped leaves the clusters of open runs running, on purpose."""
        glue = self.client("glue")

        def open_runs():
            found = []
            for page in glue.get_paginator("get_jobs").paginate():
                for job in page["Jobs"]:
                    runs = glue.get_paginator("get_job_runs").paginate(JobName=job["Name"])
                    found += [(job["Name"], r["Id"]) for p in runs for r in p["JobRuns"] if "CompletedOn" not in r]
            return found

        for job, run in open_runs():
            glue.batch_stop_job_run(JobName=job, JobRunIds=[run])
        await_that("all runs ended after they were stopped", lambda: not open_runs(), CLUSTERS_GONE_WITHIN)

    def terminate(self):
        """Ends the server with SIGTERM and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {STOPPED_WITHIN} s of SIGTERM:\n{self.words()}") from None

    def close(self):
        """Stops runs and server, and removes its folder; says what was left behind that should not have been."""
        problems = []
        try:
            if self.process.poll() is None:
                try:
                    self.stop_runs()
                finally:
                    status = self.terminate()
                if status != 0:
                    problems.append(f"the server ended with status {status}:\n{self.words()}")
            problems += self.leftovers()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.log.close()
            shutil.rmtree(self.base, ignore_errors=True)
        assert not problems, "\n".join(problems)

    def leftovers(self):
        """Processes, files and shared memory that remain of the server and its clusters."""
        # Names in /dev/shm may be there for the blink of an eye, and be those of others; files of ours are settled.
        lasting = None
        for _ in range(20):
            now = set(os.listdir("/dev/shm")) - self.shm
            lasting = now if lasting is None else lasting & now
            if not lasting:
                break
            time.sleep(0.1)
        left = [f"process {pid} is left: {line}" for pid, line in self._processes()]
        left += [f"/dev/shm/{name} is left" for name in sorted(lasting)]
        left += [f"file {p} is left" for d in ("home", "run", "tmp") for p in sorted((self.base / d).rglob("*"))]
        left += [f"file {p} is left" for p in sorted((self.data / "work").rglob("*"))]
        if (self.base / "ready.json").exists():
            left.append("the ready file is left")
        return left

    def _processes(self):
        """Processes that know of our folder, from their command line or their environment."""
        mark = os.fsencode(self.base)
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                line, env = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue  # it has just ended, or is another user's
            if mark in line or mark in env:
                yield entry.name, line.replace(b"\0", b" ").decode(errors="replace")
