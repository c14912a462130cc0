"""Lets moto's tests of Glue's jobs run against Remora, for which they are loaded into a pytest of their own (test_moto.py).
moto's code is as it is; it has a mode for tests against a server (TEST_SERVER_MODE). What that mode leaves to do:

- Requests are signed with the server's keys: moto would replace the ones in the environment, and has a setting against it.
- Each test starts without jobs: moto's server is reset for it, ours has its jobs deleted.
- Fixtures: their jobs have the command `test_command`, no workers and no script, which the real service refuses. CreateJob
  gets what a Ray job needs in the place of these before it is sent. The rest of a request, and all assertions, stay.

Which tests are run, and which of them cannot pass and why, is in moto_exceptions.toml. One that is listed and passes
fails, as does one that is listed and is not there."""

import re
from pathlib import Path

import boto3
import botocore.session
import pytest
from moto.core.config import default_user_config

try:
    import tomllib
except ImportError:  # Python 3.10; pytest brings it there
    import tomli as tomllib

LISTED = tomllib.loads(Path(__file__).with_name("moto_exceptions.toml").read_text())
PLACEHOLDERS = {"test_command", "some-name"}
RAY = {"WorkerType": "Z.2X", "NumberOfWorkers": 1,
       "Command": {"Name": "glueray", "Runtime": "Ray2.60", "PythonVersion": "3.9", "ScriptLocation": "s3://no-such-bucket/s.py"}}

default_user_config["core"]["mock_credentials"] = False


def make_legal(params, **_):
    if params.get("Command", {}).get("Name") in PLACEHOLDERS:
        params.update(RAY)


def _with_legal_jobs(make):
    def create_client(self, *arguments, **keywords):
        client = make(self, *arguments, **keywords)
        client.meta.events.register("provide-client-params.glue.CreateJob", make_legal)
        return client

    return create_client


botocore.session.Session.create_client = _with_legal_jobs(botocore.session.Session.create_client)


@pytest.fixture(autouse=True)
def no_jobs():
    glue = boto3.session.Session().client("glue", region_name="us-east-1")
    for page in glue.get_paginator("list_jobs").paginate():
        for name in page["JobNames"]:
            glue.delete_job(JobName=name)


def pytest_collection_modifyitems(config, items):
    chosen, others, listed = [], [], dict(LISTED["exceptions"])
    for item in items:
        pattern = LISTED["tests"].get(item.path.name)
        (chosen if pattern and re.search(pattern, item.originalname) else others).append(item)
    for item in chosen:
        reason = listed.pop(item.name, None)
        if item.name in LISTED["races"]:
            item.add_marker(pytest.mark.skip(reason=LISTED["races"][item.name]))
        elif reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    if listed:
        raise pytest.UsageError(f"moto_exceptions.toml lists tests that are not there: {sorted(listed)}")
    config.hook.pytest_deselected(items=others)
    items[:] = chosen
