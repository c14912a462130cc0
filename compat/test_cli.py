"""The AWS CLI, with the environment that `remora env` prints and nothing else."""

import hashlib
import json
import os
import random

import pytest


@pytest.fixture(scope="module")
def bucket(aws):
    aws("s3", "mb", "s3://cli-bucket")
    yield "s3://cli-bucket"
    aws("s3", "rb", "--force", "s3://cli-bucket")


def test_environment_is_complete(server, aws):
    assert set(server.environment) == {
        "PATH", "HOME", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY"}, "and a stale profile and session token are gone"
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"


def test_glue_as_the_readme_has_it(aws, ended):
    aws("glue", "create-job", "--name", "cli", "--role", "any", "--glue-version", "4.0", "--worker-type", "Z.2X",
        "--number-of-workers", "2", "--command",
        "Name=glueray,Runtime=Ray2.60,PythonVersion=3.9,ScriptLocation=s3://no-such-bucket/hello.py",
        "--default-arguments", '{"--name": "world"}')
    job = aws("glue", "get-job", "--job-name", "cli")["Job"]
    assert (job["DefaultArguments"], job["NumberOfWorkers"]) == ({"--name": "world"}, 2)
    run = aws("glue", "start-job-run", "--job-name", "cli", "--arguments", json.dumps({"--name": "CLI"}))["JobRunId"]
    ended("cli", run)
    got = aws("glue", "get-job-run", "--job-name", "cli", "--run-id", run)["JobRun"]
    assert (got["JobRunState"], got["Arguments"]) == ("FAILED", {"--name": "CLI"})
    assert aws("glue", "get-job-runs", "--job-name", "cli", "--query", "JobRuns[].Id", "--output", "text").strip() == run
    aws("glue", "delete-job", "--job-name", "cli")
    with pytest.raises(AssertionError, match=r"\(EntityNotFoundException\) when calling the GetJob operation: Job not found."):
        aws("glue", "get-job", "--job-name", "cli")


def test_s3_copy_and_remove(aws, bucket, folder):
    (folder / "a.txt").write_text("hello\n")
    aws("s3", "cp", str(folder / "a.txt"), f"{bucket}/dir/a b+c.txt")
    assert "a b+c.txt" in aws("s3", "ls", f"{bucket}/dir/")
    assert aws("s3", "cp", f"{bucket}/dir/a b+c.txt", "-") == "hello\n"
    aws("s3", "rm", f"{bucket}/dir/a b+c.txt")
    assert "a b+c.txt" not in aws("s3", "ls", "--recursive", bucket)
    assert "cli-bucket" in aws("s3", "ls")


def test_s3_sync(aws, bucket, folder):
    tree = {"one.txt": "1", "deep/er/two.txt": "2", "deep/three.txt": "3"}
    for path, text in tree.items():
        (folder / "up" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "up" / path).write_text(text)
        os.utime(folder / "up" / path, (10**9, 10**9))  # S3's times are whole seconds: a file of this second looks newer
    assert aws("s3", "sync", str(folder / "up"), f"{bucket}/tree").count("upload:") == 3
    assert "upload:" not in aws("s3", "sync", str(folder / "up"), f"{bucket}/tree"), "nothing has changed"
    (folder / "up" / "one.txt").unlink()
    assert "delete:" in aws("s3", "sync", "--delete", str(folder / "up"), f"{bucket}/tree")
    aws("s3", "sync", f"{bucket}/tree", str(folder / "down"))
    down = {str(p.relative_to(folder / "down")): p.read_text() for p in (folder / "down").rglob("*.txt")}
    assert down == {k: v for k, v in tree.items() if k != "one.txt"}


def test_s3_in_parts(aws, s3, bucket, folder):
    """20 MB is beyond the size from which the CLI uploads in parts."""
    data = random.Random(1).randbytes(20 << 20)
    (folder / "large").write_bytes(data)
    aws("s3", "cp", "--no-progress", str(folder / "large"), f"{bucket}/large")
    head = s3.head_object(Bucket="cli-bucket", Key="large")
    assert head["ContentLength"] == len(data)
    assert head["ETag"].strip('"').endswith("-3"), "three parts of 8 MiB"
    aws("s3", "cp", "--no-progress", f"{bucket}/large", str(folder / "back"))
    assert hashlib.sha256((folder / "back").read_bytes()).digest() == hashlib.sha256(data).digest()
    assert s3.list_multipart_uploads(Bucket="cli-bucket").get("Uploads", []) == []


def test_logs(aws):
    aws("logs", "create-log-group", "--log-group-name", "/cli/group")
    aws("logs", "create-log-stream", "--log-group-name", "/cli/group", "--log-stream-name", "stream")
    [group] = aws("logs", "describe-log-groups", "--log-group-name-prefix", "/cli/")["logGroups"]
    made = group["creationTime"]
    aws("logs", "put-log-events", "--log-group-name", "/cli/group", "--log-stream-name", "stream",
        "--log-events", json.dumps([{"timestamp": made, "message": f"line {i}"} for i in range(30)]))
    found = aws("logs", "filter-log-events", "--log-group-name", "/cli/group", "--page-size", "7")
    assert [e["message"] for e in found["events"]] == [f"line {i}" for i in range(30)]
    last = aws("logs", "get-log-events", "--log-group-name", "/cli/group", "--log-stream-name", "stream", "--limit", "2")
    assert [e["message"] for e in last["events"]] == ["line 28", "line 29"]
    aws("logs", "delete-log-group", "--log-group-name", "/cli/group")
