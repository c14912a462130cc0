"""`aws logs tail --follow` itself. Only version 2 of the AWS CLI has it, which is not on PyPI: the test takes one that is
installed, as .ci/run does from the system's packages. test_logs.py replays its requests everywhere."""

import json
import os
import shutil
import subprocess

import pytest


def version2():
    for folder in ["/usr/bin", "/usr/local/bin", *os.environ["PATH"].split(os.pathsep)]:
        program = shutil.which("aws", path=folder)
        if program:
            said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if said.stdout.startswith("aws-cli/2"):
                return program
    return None


CLI = version2()


@pytest.mark.skipif(not CLI, reason="no AWS CLI 2 is installed")
def test_tail_follows(server, aws):
    aws("logs", "create-log-group", "--log-group-name", "/cli/tail")
    aws("logs", "create-log-stream", "--log-group-name", "/cli/tail", "--log-stream-name", "stream")

    def put(text):
        now = subprocess.run(["date", "+%s%3N"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        aws("logs", "put-log-events", "--log-group-name", "/cli/tail", "--log-stream-name", "stream",
            "--log-events", json.dumps([{"timestamp": int(now), "message": text}]))

    put("before")
    # Before 2.13 the CLI did not read AWS_ENDPOINT_URL.
    tail = subprocess.Popen([CLI, "--endpoint-url", server.environment["AWS_ENDPOINT_URL"], "logs", "tail", "/cli/tail", "--follow",
                             "--format", "short"], env={**server.environment, "PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert tail.stdout.readline().rstrip().endswith(" before")
        put("while it follows")
        assert tail.stdout.readline().rstrip().endswith(" while it follows")
    finally:
        tail.kill()
        tail.communicate()
        aws("logs", "delete-log-group", "--log-group-name", "/cli/tail")
