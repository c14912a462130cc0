"""Scripts that behave badly, on real Ray, side by side: each ends its own run with a clear word, and nothing stays."""

from pathlib import Path

import pytest

GROUP = "/aws-glue/ray/jobs/script-log"
BUCKET = "bad-scripts"
LINES = 1_000_000  # of 100 bytes

SCRIPTS = {
    "prints-100-mb-and-detaches": f"""
import os, sys, time
if os.fork() == 0:  # a daemon that keeps the script's output open
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
os.wait()
for i in range({LINES}):
    print(f"{{i:09}} " + 89 * "x")
sys.stderr.write("and that was it\\n")
sys.exit(3)
""",
    "has-a-syntax-error": "def f(:\n",
    "fails": "print('before')\nraise ValueError('kaputt')\n",
    "is-killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
}


@pytest.fixture(scope="module")
def runs(glue, s3, definition, ended):
    s3.create_bucket(Bucket=BUCKET)
    started = {}
    for name, text in SCRIPTS.items():
        s3.put_object(Bucket=BUCKET, Key=f"{name}.py", Body=text.encode())
        command = {**definition["Command"], "ScriptLocation": f"s3://{BUCKET}/{name}.py"}
        glue.create_job(Name=name, **{**definition, "Command": command})
        started[name] = glue.start_job_run(JobName=name)["JobRunId"]
    yield {name: ended(name, run) for name, run in started.items()}
    for name in SCRIPTS:
        glue.delete_job(JobName=name)


def test_100_mb_and_a_daemon(logs, runs):
    run = runs["prints-100-mb-and-detaches"]
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == "The script exited with status 3.\nand that was it"
    stream = {"logGroupName": GROUP, "logStreamName": run["Id"]}
    last = [e["message"] for e in logs.get_log_events(**stream, limit=3)["events"]]
    assert f"{LINES - 1:09} " + 89 * "x" in last, "the last lines are kept whatever there was before"
    first = [e["message"] for e in logs.get_log_events(**stream, limit=20, startFromHead=True)["events"]]
    assert f"{0:09} " + 89 * "x" in first, "100 MB are within the bound of a stream"
    assert not still_running(run["Id"]), "the daemon went with its cluster"


def still_running(run_id):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and run_id.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes())
        except OSError:
            pass  # it has just ended
    return found


def test_syntax_error(runs):
    run = runs["has-a-syntax-error"]
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith("The script exited with status 1.\n")
    assert "has-a-syntax-error.py" in run["ErrorMessage"] and "SyntaxError: invalid syntax" in run["ErrorMessage"]


def test_output_is_in_order(logs, runs):
    run = runs["fails"]
    assert run["ErrorMessage"].endswith("ValueError: kaputt")
    lines = [e["message"] for e in logs.get_log_events(logGroupName=GROUP, logStreamName=run["Id"], startFromHead=True)["events"]]
    assert lines.index("before") < lines.index("Traceback (most recent call last):") < lines.index("ValueError: kaputt")


def test_killed(runs):
    run = runs["is-killed"]
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith("The script was killed by signal 9 (SIGKILL).")
