"""What jobs bring along: pip's packages, wheels, zips and files from S3, a working directory, and Ray's runtime_env; and how
a run ends whose modules cannot be had."""

import io
import json
import zipfile
from pathlib import Path

import pytest

BUCKET = "modules"
GROUP = "/aws-glue/ray/jobs/script-log"
SCRIPT = Path(__file__).parent / "scripts" / "modules_job.py"


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in files.items():
            z.writestr(name, text)
    return out.getvalue()


def wheel(name, value, requires=()):
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(f"Requires-Dist: {r}\n" for r in requires)
    return zipped({f"{name}/__init__.py": f"VALUE = {value!r}\n", f"{info}/METADATA": metadata, f"{info}/RECORD": "",
                   f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})


OBJECTS = {
    "from_wheel-1.0-py3-none-any.whl": wheel("from_wheel", "a wheel"),
    "broken-1.0-py3-none-any.whl": wheel("broken", "x")[:-40],
    "contradicts-1.0-py3-none-any.whl": wheel("contradicts", "x", ["tabulate==0.9.0"]),
    "replaces-1.0-py3-none-any.whl": wheel("replaces", "x", ["ray==2.9.0"]),
    "modules.zip": zipped({"from_zip/__init__.py": "VALUE = 'a zip'\n"}),
    "again.zip": zipped({"from_zip/__init__.py": "VALUE = 'another zip'\n"}),
    "ray.zip": zipped({"ray/__init__.py": ""}),
    "source.zip": zipped({
        "src/setup.py": "from setuptools import setup\nsetup(name='from-source', version='1.0', py_modules=['from_source'])\n",
        "src/from_source.py": "VALUE = 'a source distribution'\n"}),
    "single.py": b"VALUE = 'a file'\n",
    "packed.zip": zipped({"packed/__init__.py": "VALUE = 'a packed file'\n"}),
    "dir.zip": zipped({"the-dir/data.txt": "of the working directory"}),
    "runtime-env-module.zip": zipped({"top/local/__init__.py": "VALUE = 'a zip of Ray'\n"}),
    "runtime-env-dir.zip": zipped({"other/data.txt": "of Ray's working_dir"}),
    "two.zip": zipped({"one/__init__.py": "", "two/__init__.py": ""}),
    "up.zip": zipped({"one/__init__.py": "", "../up.py": ""}),
    "empty.zip": b"",
}
S3 = f"s3://{BUCKET}/"


@pytest.fixture(scope="module")
def bucket(s3):
    s3.create_bucket(Bucket=BUCKET)
    for key, body in OBJECTS.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    s3.upload_file(str(SCRIPT), BUCKET, "job.py")


@pytest.fixture(scope="module")
def start(bucket, glue, definition):
    """A function that starts a run of the job's script with arguments."""
    names = []

    def run(name, script="job.py", **arguments):
        glue.create_job(Name=name, **{**definition, "Command": {**definition["Command"], "ScriptLocation": S3 + script}})
        names.append(name)
        arguments = {"--" + k.replace("_", "-"): v for k, v in arguments.items()}
        return glue.start_job_run(JobName=name, Arguments={"--bucket": BUCKET, **arguments})["JobRunId"]

    yield run
    for name in names:
        glue.delete_job(JobName=name)


def log_of(logs, run_id):
    lines, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=run_id, startFromHead=True, **more)
        lines += [e["message"] for e in page["events"]]
        if page["nextForwardToken"] == token:
            return lines
        token = page["nextForwardToken"]


@pytest.fixture(scope="module")
def report(start, ended, logs):
    run = ended("modules", start(
        "modules", pip_install="humanize==4.9.0, pandas==2.3.2",
        additional_python_modules=f"{S3}from_wheel-1.0-py3-none-any.whl,{S3}source.zip",
        s3_py_modules=S3 + "modules.zip", extra_py_files=f"{S3}single.py,{S3}packed.zip", working_dir=S3 + "dir.zip"))
    lines = log_of(logs, run["Id"])
    assert run["JobRunState"] == "SUCCEEDED", run["ErrorMessage"] + "\n" + "\n".join(lines)
    [line] = [line for line in lines if line.startswith("report ")]
    return json.loads(line.removeprefix("report "))


ALL = {"cwd": "the-dir", "file": "of the working directory", "pandas": "2.3.2", "humanize": "4.9.0", "from_wheel": "a wheel",
       "from_source": "a source distribution", "from_zip": "a zip", "single": "a file", "packed": "a packed file",
       "tabulate": None, "local": None, "value": None, "ray": "2.60.0"}


def test_driver_and_tasks_see_what_the_job_brings(report):
    assert report["driver"] == ALL
    assert report["task"] == ALL


def test_runtime_env_comes_over_it(report):
    assert report["decorated"] == {**ALL, "tabulate": "0.9.0", "value": "of a decorator"}
    assert report["actor with pip"] == {**ALL, "tabulate": "0.9.0"}
    assert report["uv"] == {**ALL, "tabulate": "0.9.0"}
    assert report["py_modules"] == {**ALL, "local": "a zip of Ray"}
    assert report["working_dir"] == {**ALL, "cwd": report["working_dir"]["cwd"], "file": "of Ray's working_dir"}
    assert report["init"] == {**ALL, "tabulate": "0.9.0", "local": "a folder of the driver", "value": "of init",
                              "cwd": report["init"]["cwd"], "file": "of a folder of the driver"}
    assert report["over init"] == {**report["init"], "value": "of options"}
    assert report["python path"] == {**ALL, "value": "x"}, "a PYTHONPATH of the user's does not take the modules away"


def test_runtime_env_that_cannot_be(report):
    assert "ray is part of the runtime Ray2.60 (2.60.0) and cannot be replaced" in report["another ray"]
    assert "tabulate==0.0.1" in report["no such package"] and "No solution found" in report["no such package"]
    assert "pip_install_options" in report["options"]


@pytest.mark.parametrize("name, arguments, words", [
    ("no-such-package", {"pip_install": "tabulate==0.0.1"}, ["tabulate==0.0.1", "No solution found"]),
    ("contradiction", {"additional_python_modules": f"tabulate<0.9,{S3}contradicts-1.0-py3-none-any.whl"},
     ["tabulate", "unsatisfiable"]),
    ("corrupt-wheel", {"additional_python_modules": S3 + "broken-1.0-py3-none-any.whl"}, ["broken-1.0-py3-none-any.whl"]),
    ("another-ray", {"pip_install": "ray==2.4.0"}, ["ray is part of the runtime Ray2.60 (2.60.0) and cannot be replaced"]),
    ("another-ray-below", {"additional_python_modules": S3 + "replaces-1.0-py3-none-any.whl"},
     ["ray is part of the runtime Ray2.60 (2.60.0) and cannot be replaced"]),
    ("not-there", {"s3_py_modules": S3 + "missing.zip"}, ["--s3-py-modules s3://modules/missing.zip", "does not exist"]),
    ("two-folders", {"s3_py_modules": S3 + "two.zip"}, ["--s3-py-modules s3://modules/two.zip", "top-level"]),
    ("out-of-it", {"working_dir": S3 + "up.zip"}, ["--working-dir s3://modules/up.zip", "../up.py", "leads out of the archive"]),
    ("no-zip", {"extra_py_files": S3 + "empty.zip"}, ["--extra-py-files s3://modules/empty.zip", "no zip"]),
    ("twice", {"s3_py_modules": f"{S3}modules.zip,{S3}again.zip"}, ['"from_zip"', "as well"]),
    ("ray-again", {"s3_py_modules": S3 + "ray.zip"}, ["a module ray", "cannot be replaced"]),
])
def test_modules_that_cannot_be_had(start, ended, logs, name, arguments, words):
    run = ended(name, start(name, **arguments))
    assert run["JobRunState"] == "FAILED"
    assert run["ExecutionTime"] == 0
    for word in words:
        assert word in run["ErrorMessage"]
    assert any("the script was not started" in line for line in log_of(logs, run["Id"]))


def test_refused_at_once(bucket, glue, name, definition, refused):
    for argument, value, words in [
        ("--s3-py-modules", "modules.zip", "s3:// address of a zip"),
        ("--working-dir", "s3://b/k.tar", "s3:// address of a zip"),
        ("--pip-install", "/etc/passwd.whl", "has to be an object in S3"),
    ]:
        text = refused("InvalidInputException", glue.create_job, Name=name, **definition, DefaultArguments={argument: value})
        assert argument in text and value in text and words in text
