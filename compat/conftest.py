"""One server for the whole suite, and its clients. Jobs get names of their own, so that tests do not meet each other."""

import itertools
import json
import subprocess

import botocore.exceptions
import pytest
import server as remora

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server():
    s = remora.Server()
    try:
        s.start()
        yield s
    finally:
        s.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the server has printed is part of a failure."""
    report = yield
    s = item.funcargs.get("server") if hasattr(item, "funcargs") else None
    if report.failed and s is not None:
        report.sections.append(("end of the server's log", s.words()))
    return report


@pytest.fixture(scope="session")
def glue(server):
    return server.client("glue")


@pytest.fixture(scope="session")
def logs(server):
    return server.client("logs")


@pytest.fixture(scope="session")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="session")
def aws(server):
    """A function that runs the AWS CLI with what `remora env` says and nothing else, and returns what it prints: parsed,
    where the command was told to give JSON."""

    def run(*command, parse=True):
        done = subprocess.run(["aws", *command], env=server.environment, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        assert done.returncode == 0, f"aws {' '.join(command)}: {done.stderr}"
        return json.loads(done.stdout) if parse and done.stdout.startswith("{") else done.stdout

    return run


@pytest.fixture(scope="session")
def definition():
    """The least that a Ray job needs, beside a name. Its script is missing, so that its runs fail before a cluster starts."""
    return {"Role": "any", "WorkerType": "Z.2X", "NumberOfWorkers": 1, "GlueVersion": "4.0",
            "Command": {"Name": "glueray", "Runtime": "Ray2.60", "PythonVersion": "3.9",
                        "ScriptLocation": "s3://no-such-bucket/script.py"}}


@pytest.fixture
def name(request):
    """A name that no other test uses."""
    return f"{request.node.originalname}-{next(_numbers)}"


@pytest.fixture
def folder(server, name):
    """A folder for the test, which goes with the server's."""
    path = server.base / "client" / name
    path.mkdir()
    return path


@pytest.fixture
def job(glue, name, definition):
    """The name of a job; it is deleted after the test."""
    glue.create_job(Name=name, **definition)
    yield name
    glue.delete_job(JobName=name)


@pytest.fixture(scope="session")
def ended(glue):
    """A function that waits for the end of a run, as Airflow does, and returns the run."""

    def wait(job_name, run_id, within=600):
        def run_if_ended():
            run = glue.get_job_run(JobName=job_name, RunId=run_id)["JobRun"]
            return run if "CompletedOn" in run else None

        return remora.await_that(f"run {run_id} of {job_name} ended", run_if_ended, within)

    return wait


@pytest.fixture(scope="session")
def refused():
    """A function that makes a call which must be refused with an error of the given type, and returns its text."""

    def call(code, operation, **arguments):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            operation(**arguments)
        error = caught.value.response["Error"]
        assert error["Code"] == code, error
        if hasattr(operation, "__self__") and code in dir(operation.__self__.exceptions):
            assert type(caught.value) is getattr(operation.__self__.exceptions, code)
        return error["Message"]

    return call
