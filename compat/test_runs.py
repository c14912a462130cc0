"""Runs on real Ray, three of them: one that does all that scripts do and is watched meanwhile, one that waited for it and
fails, and a retry that is stopped. The tests go along with these in the order of the file."""

import subprocess
from pathlib import Path

import pytest
from log_tail import Tail
from server import PROGRAM, await_that

SCRIPT = Path(__file__).with_name("ray_script.py")
GROUP = "/aws-glue/ray/jobs"
BUCKET = "runs"
JOB = "runs"
WITHIN = 600  # seconds for whatever a cluster has to do; about 15 are usual


@pytest.fixture(scope="module")
def ray_job(glue, s3, definition):
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(SCRIPT), BUCKET, "scripts/ray_script.py")
    command = {**definition["Command"], "ScriptLocation": f"s3://{BUCKET}/scripts/ray_script.py"}
    glue.create_job(Name=JOB, DefaultArguments={"--bucket": BUCKET, "--test-environment": "default", "--both": "job's"},
                    NonOverridableArguments={"--fixed": "fixed"}, **{**definition, "Command": command})
    return JOB


@pytest.fixture(scope="module")
def text(logs):
    """A function that returns a run's log, a line each."""

    def lines(run, group=f"{GROUP}/script-log"):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNamePrefix=run)
        try:
            return [e["message"] for p in pages for e in p["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []  # the first line makes the group

    return lines


@pytest.fixture(scope="module")
def tail(logs):
    """A function that returns all that a Tail of a run's log has shown."""
    tails, shown = {}, {}

    def lines(run):
        t = tails.setdefault(run, Tail(logs, f"{GROUP}/script-log", logStreamNamePrefix=run))
        shown.setdefault(run, []).extend(t.news())
        return shown[run]

    return lines


@pytest.fixture(scope="module")
def state(glue):
    return lambda run: glue.get_job_run(JobName=JOB, RunId=run)["JobRun"]["JobRunState"]


@pytest.fixture(scope="module")
def running(glue, ray_job, text, state):
    """The first run, when its script has done everything and waits."""
    arguments = {"--test-environment": "the run's", "--both": "run's", "--fixed": "not this"}
    run = glue.start_job_run(JobName=ray_job, Arguments=arguments)["JobRunId"]

    def waits():
        if "waiting for the word" in text(run):
            return True
        got = glue.get_job_run(JobName=JOB, RunId=run)["JobRun"]
        assert "CompletedOn" not in got, (got, text(run))

    first = state(run)
    assert first == "STARTING"
    await_that("the first run's script waited for the word", waits, WITHIN)
    return run


@pytest.fixture(scope="module")
def waiting(glue, running):
    """The second run, which waits for the first one's end."""
    return glue.start_job_run(JobName=JOB, JobRunQueuingEnabled=True, Arguments={"--fail": "yes"})["JobRunId"]


@pytest.fixture(scope="module")
def finished(glue, s3, running, waiting, follower, tail, ended):
    """The first run at its end."""
    assert "waiting for the word" in tail(running)
    s3.put_object(Bucket=BUCKET, Key="go", Body=b"")
    return ended(JOB, running)


@pytest.fixture(scope="module")
def failed(glue, finished, waiting, ended):
    return ended(JOB, waiting)


def test_a_running_run(glue, running):
    run = glue.get_job_run(JobName=JOB, RunId=running)["JobRun"]
    assert (run["JobRunState"], run["Attempt"], run["LogGroupName"]) == ("RUNNING", 0, GROUP)
    assert run["Arguments"] == {"--test-environment": "the run's", "--both": "run's", "--fixed": "not this"}
    assert not {"CompletedOn", "ErrorMessage", "PreviousRunId", "DPUSeconds"} & set(run)


def test_no_more_than_the_limit(glue, running, refused):
    text = refused("ConcurrentRunsExceededException", glue.start_job_run, JobName=JOB)
    assert text == f"Concurrent runs exceeded for {JOB}"
    assert [r["Id"] for r in glue.get_job_runs(JobName=JOB)["JobRuns"]] == [running]


def test_an_open_run_cannot_be_retried(glue, running, refused):
    assert running in refused("InvalidInputException", glue.start_job_run, JobName=JOB, JobRunId=running)


def test_a_waiting_run_can_be_stopped(glue, running, waiting, state, ended):
    assert state(waiting) == "WAITING"
    second = glue.start_job_run(JobName=JOB, JobRunQueuingEnabled=True)["JobRunId"]
    assert state(second) == "WAITING"
    answer = glue.batch_stop_job_run(JobName=JOB, JobRunIds=[second, "jr_unknown"])
    assert answer["SuccessfulSubmissions"] == [{"JobName": JOB, "JobRunId": second}]
    [error] = answer["Errors"]
    assert (error["JobRunId"], error["ErrorDetail"]["ErrorCode"]) == ("jr_unknown", "EntityNotFoundException")
    run = ended(JOB, second)
    assert (run["JobRunState"], run["ExecutionTime"], run["DPUSeconds"]) == ("STOPPED", 0, 0)
    assert (state(running), state(waiting)) == ("RUNNING", "WAITING")


@pytest.fixture(scope="module")
def follower(server, running):
    """`remora logs -f` of the first run, which has printed what there is, and its output."""
    output = server.base / "client" / "followed"
    with open(output, "wb") as sink:
        process = subprocess.Popen([PROGRAM, "--data-dir", server.data, "logs", "-f", running], env=server.environment,
                                   stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        await_that("`remora logs -f` printed a running run's lines",
                   lambda: "waiting for the word" in output.read_text(), WITHIN)
        yield process, output
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_followers_of_the_log_see_the_end(tail, running, follower, finished):
    """Two that follow from before the run's end: our own command, and what AWS CLI 2 does for `aws logs tail --follow`."""
    await_that("`aws logs tail --follow` would have shown the script's last line", lambda: "done" in tail(running), WITHIN)
    process, output = follower
    assert process.wait(WITHIN) == 0, output.read_text()
    assert "\ndone\n" in output.read_text()


def test_the_run_succeeded(finished):
    assert finished["JobRunState"] == "SUCCEEDED", finished
    assert "ErrorMessage" not in finished
    assert finished["StartedOn"] < finished["CompletedOn"]
    assert 0 < finished["ExecutionTime"] <= (finished["CompletedOn"] - finished["StartedOn"]).total_seconds() + 1
    # Two DPU, a minute at least, by the second.
    assert finished["DPUSeconds"] >= 120 and finished["DPUSeconds"] % 2 == 0


def test_the_script_found_everything(finished, running, text, s3):
    lines = text(running)
    for line in ["arguments: the run's run's fixed", "a line on stderr", "squares: 285", "pandas: 499500",
                 "ray.data: 999000", "identity: 000000000000", "done"]:
        assert line in lines, line
    keys = {o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET, Prefix="out/")["Contents"]}
    assert {"out/boto3.txt", "out/pandas.csv", "out/pyarrow.parquet"} <= keys
    assert any(k.startswith("out/ray/") for k in keys)


def test_lines_are_in_order(finished, running, text):
    lines = text(running)
    order = [lines.index(l) for l in ["arguments: the run's run's fixed", "squares: 285", "pandas: 499500", "done"]]
    assert order == sorted(order)


def test_groups_and_streams(finished, running, logs):
    groups = [g for p in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=GROUP + "/") for g in p["logGroups"]]
    names = {g["logGroupName"] for g in groups}
    assert {f"{GROUP}/{n}" for n in ("script-log", "ray-gcs-logs", "ray-raylet-logs", "ray-worker-out-logs")} <= names
    [stream] = logs.describe_log_streams(logGroupName=f"{GROUP}/script-log", logStreamNamePrefix=running)["logStreams"]
    assert stream["logStreamName"] == running
    assert stream["firstEventTimestamp"] <= stream["lastEventTimestamp"]
    workers = logs.describe_log_streams(logGroupName=f"{GROUP}/ray-worker-out-logs", logStreamNamePrefix=running)["logStreams"]
    assert workers and all(s["logStreamName"] != running for s in workers), "a node's stream has a suffix of the node"


def test_output_of_tasks(finished, running, text):
    assert "a line from a task" in text(running, f"{GROUP}/ray-worker-out-logs")
    assert any("a line from a task" in line for line in text(running)), "Ray forwards it to the driver"


def test_get_log_events_both_ways(finished, running, logs, text):
    where = {"logGroupName": f"{GROUP}/script-log", "logStreamName": running, "limit": 3}
    forward, token = [], None
    while True:
        page = logs.get_log_events(**where, startFromHead=True, **({"nextToken": token} if token else {}))
        if page["nextForwardToken"] == token:
            break
        forward += [e["message"] for e in page["events"]]
        token = page["nextForwardToken"]
    assert forward == text(running)
    backward, token = [], None
    while True:
        page = logs.get_log_events(**where, **({"nextToken": token} if token else {}))
        if page["nextBackwardToken"] == token:
            break
        backward = [e["message"] for e in page["events"]] + backward
        token = page["nextBackwardToken"]
    assert backward == forward


def test_a_waiting_run_runs_when_the_limit_allows(finished, failed):
    assert failed["JobRunState"] == "FAILED", failed
    assert failed["CompletedOn"] > finished["CompletedOn"]


def test_a_failed_run_says_why(failed, waiting, text):
    assert "ValueError: failed as asked" in failed["ErrorMessage"]
    assert any("Traceback" in line for line in text(waiting))
    assert failed["Arguments"] == {"--fail": "yes"}


def test_a_retry_that_is_stopped(glue, finished, failed, running, ended, state, text):
    run = glue.start_job_run(JobName=JOB, JobRunId=running, Arguments={"--sleep": "yes"})["JobRunId"]
    assert run == f"{running}_attempt_1"
    assert glue.get_job_run(JobName=JOB, RunId=run)["JobRun"]["PreviousRunId"] == running
    await_that("the retry's script slept", lambda: "sleeping until stopped" in text(run), WITHIN)
    assert glue.batch_stop_job_run(JobName=JOB, JobRunIds=[run])["Errors"] == []
    assert state(run) in ("STOPPING", "STOPPED")
    stopped = ended(JOB, run)
    assert (stopped["JobRunState"], stopped["Attempt"], stopped["PreviousRunId"]) == ("STOPPED", 1, running)
    assert stopped["DPUSeconds"] >= 120
    # Stopping what has ended is no error and changes nothing.
    assert glue.batch_stop_job_run(JobName=JOB, JobRunIds=[run])["Errors"] == []
    assert glue.get_job_run(JobName=JOB, RunId=run)["JobRun"] == stopped
