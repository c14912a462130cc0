"""The launch walkthrough as it stands in examples/, for runtime Ray2.4: what it prints and what it writes is what plain
pandas makes of the same data."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from server import PROGRAM

EXAMPLES = PROGRAM.parent.parent / "examples"
PANDAS = Path(__file__).with_name("walkthrough_pandas.py")
GROUP = "/aws-glue/ray/jobs/script-log"
BUCKET = JOB = "walkthrough"
CATEGORY = "product_category=Video_Games"
ROWS = 4000
STEPS = ["read_parquet", "count, from the files' metadata", "schema", "size_bytes", "show", "add_column", "drop_columns", "sort",
         "map_batches with a function", "map_batches with a class, on 2 to 4 actors", "two filters", "write_parquet", "write_csv",
         "write_json", "to_pandas", "to_modin"]


@pytest.fixture(scope="module")
def python():
    """A function that runs the runtime's Python and returns what it prints."""
    path = subprocess.run([PROGRAM, "runtime", "build", "Ray2.60"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()

    def run(*arguments):
        done = subprocess.run([path, "-B", *map(str, arguments)], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def data(server, s3, python):
    """The folder of the data, which are in the bucket too."""
    folder = server.base / "client" / "reviews"
    said = python(EXAMPLES / "reviews_data.py", "--rows", ROWS, "--out", folder)
    assert said.startswith(f"{ROWS:,} synthetic reviews in 10 files ")
    s3.create_bucket(Bucket=BUCKET)
    for file in sorted((folder / CATEGORY).iterdir()):
        s3.upload_file(str(file), BUCKET, f"in/{CATEGORY}/{file.name}")
    return folder / CATEGORY


@pytest.fixture(scope="module")
def run(glue, s3, definition, ended, data):
    """A run of the walkthrough that has ended."""
    script = "reviews_walkthrough.py"
    s3.upload_file(str(EXAMPLES / script), BUCKET, script)
    command = {**definition["Command"], "Runtime": "Ray2.4", "ScriptLocation": f"s3://{BUCKET}/{script}"}
    arguments = {"--input": f"s3://{BUCKET}/in/{CATEGORY}/", "--output": f"s3://{BUCKET}/out/"}
    glue.create_job(Name=JOB, DefaultArguments=arguments, **{**definition, "Command": command, "NumberOfWorkers": 2})
    yield ended(JOB, glue.start_job_run(JobName=JOB)["JobRunId"])
    glue.delete_job(JobName=JOB)


@pytest.fixture(scope="module")
def steps(run, logs):
    """What each step has printed, a line each."""
    assert run["JobRunState"] == "SUCCEEDED", run
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix=run["Id"])
    printed, current = {}, []
    for line in (e["message"] for p in pages for e in p["events"]):
        if line.startswith("-- "):
            current = printed.setdefault(line[3:], [])
        current.append(line)
    return printed


@pytest.fixture(scope="module")
def pandas(server, s3, python, steps, data):
    """What plain pandas makes of the data; it has found the files that the job has written to be right."""
    results = server.base / "client" / "results"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="out/"):
        for item in page["Contents"]:
            if not item["Key"].endswith("/"):
                file = results / item["Key"].removeprefix("out/")
                file.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(BUCKET, item["Key"], str(file))
    return json.loads(python(PANDAS, data, results))


def test_each_step_is_timed(steps):
    assert list(steps) == STEPS
    for step, lines in steps.items():
        assert any(re.fullmatch(r"   \d+\.\d\d s", line) for line in lines), (step, lines)


@pytest.mark.parametrize("step, fact", [
    ("count, from the files' metadata", "rows"),
    ("map_batches with a function", "rows below 100"),
    ("map_batches with a class, on 2 to 4 actors", "rows below 100"),
    ("two filters", "rows in the end"),
])
def test_counts(steps, pandas, step, fact):
    assert f"   rows: {pandas[fact]}" in steps[step], steps[step]


def test_schema(steps, pandas):
    # What Ray says on stderr may stand in between.
    assert [line for line in steps["schema"] if re.fullmatch(r"\w+: \S+", line)] == pandas["schema"]


def test_size(steps, pandas):
    [size] = [int(line.split(": ")[1]) for line in steps["size_bytes"] if line.startswith("   bytes: ")]
    assert pandas["bytes"] / 3 < size < pandas["bytes"] * 3, "an estimate from the files' metadata"


@pytest.mark.parametrize("step, fact", [
    ("show", "first"),
    ("add_column", "with ratio"),
    ("drop_columns", "with columns dropped"),
    ("sort", "sorted"),
    ("map_batches with a function", "below 100"),
    ("map_batches with a class, on 2 to 4 actors", "judged"),
])
def test_rows_that_are_shown(steps, pandas, step, fact):
    [row] = [line for line in steps[step] if line.startswith("{")]
    assert row in pandas[fact]


def test_written_files(pandas):
    assert 0 < pandas["rows in the end"] < pandas["rows below 100"] < pandas["rows"] == ROWS


@pytest.mark.parametrize("step", ["to_pandas", "to_modin"])
def test_frames(steps, pandas, step):
    at = steps[step].index(pandas["means"][0])
    rest = [line for line in steps[step][at:] if line in pandas["means"]]
    assert rest == pandas["means"]
