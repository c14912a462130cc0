"""The examples, by the commands that they document: what they write and print is what plain pandas makes of the same
data (examples_pandas.py)."""

import ast
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from server import PROGRAM

ROOT = PROGRAM.parent.parent
PANDAS = Path(__file__).with_name("examples_pandas.py")
GROUP = "/aws-glue/ray/jobs/script-log"
BUCKET = "work"

# What the report says of each fault of examples/sources_data.py.
REASONS = {
    "parquet cut off": "ArrowInvalid: .*Parquet magic bytes not found",
    "parquet with an error page": "ArrowInvalid: .*Parquet magic bytes not found",
    "parquet without a column": "ValueError: there is no carrier in 100 of 100 rows",
    "parquet with a word for a number": "ValueError: column flight: .*'twelve'",
    "json cut off": "ArrowInvalid: JSON parse error",
    "json with a nested value": r"ArrowInvalid: JSON parse error: Column\(.*\) changed from \w+ to object",
    "json in Latin-1": "UnicodeDecodeError: .* can't decode byte 0xfc",
    "csv with an open quote": "ArrowInvalid: CSV parse error",
    "csv with a field too many": r"ArrowInvalid: CSV parse error: Expected \d+ columns, got \d+",
    "csv of random bytes": "UnicodeDecodeError",
    "csv in UTF-16": "UnicodeDecodeError: .* can't decode byte 0xff",
    "empty": "ArrowInvalid: Empty CSV file",
    "missing": "there is no such object",
}


@pytest.fixture(scope="module")
def python(server):
    """A function that runs the runtime's Python as `remora env` says, and returns what it prints."""
    built = subprocess.run([PROGRAM, "runtime", "build", "Ray2.60"], check=True, text=True, stdout=subprocess.PIPE)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    environment = {**server.environment, "XDG_CACHE_HOME": cache}

    def run(*arguments):
        command = [built.stdout.strip(), "-B", *map(str, arguments)]
        done = subprocess.run(command, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def data(s3, python):
    s3.create_bucket(Bucket=BUCKET)
    assert python(ROOT / "examples" / "example_data.py", BUCKET).endswith(f" objects are in s3://{BUCKET}/\n")


def documented(example):
    """The commands in the docstring of an example, each as a list of words without `aws`."""
    text = ast.get_docstring(ast.parse((ROOT / "examples" / f"{example}.py").read_text()))
    [block] = re.findall(r"(?:^    +\S.*\n)+", text, re.MULTILINE)[:1]
    commands = []
    for word in shlex.split(block.replace("\\\n", " "), comments=True):
        if word == "aws":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


@pytest.fixture(scope="module")
def job(data, aws, glue, ended):
    """A function that uploads an example and creates its job as documented, and returns the documented commands that
    start it, as functions that return the run when it has ended."""
    created = []

    def create(example):
        upload, definition, *starts = documented(example)
        assert upload[:2] == ["s3", "cp"] and definition[:2] == ["glue", "create-job"]
        with pytest.MonkeyPatch.context() as here:
            here.chdir(ROOT)
            aws(*upload)
        aws(*definition)
        created.append(example)

        def start(command):
            assert command[:2] == ["glue", "start-job-run"]
            return ended(example, aws(*command)["JobRunId"])

        return [lambda command=command: start(command) for command in starts]

    yield create
    for name in created:
        glue.delete_job(JobName=name)


@pytest.fixture(scope="module")
def printed(logs):
    """A function that checks that a run has succeeded, and returns what its script has printed, a line each. Lines on
    stdout and on stderr, where Ray logs, are in no certain order."""

    def lines(run):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix=run["Id"])
        text = [e["message"] for p in pages for e in p["events"]]
        assert run["JobRunState"] == "SUCCEEDED", (run, text)
        return text

    return lines


@pytest.fixture(scope="module")
def pandas(python):
    """A function that has an example's results checked, and returns what the example must have printed of them."""
    return lambda example: json.loads(python(PANDAS, example))


def content(s3, key):
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def number(pattern, lines):
    """The number in the line that matches, of which there is one."""
    [found] = [match[1] for line in lines if (match := re.fullmatch(pattern, line))]
    return int(found)


def test_transforms(job, printed, pandas):
    [start] = job("transforms")
    lines = printed(start())
    facts = pandas("transforms")
    assert sorted(l for l in lines if l.startswith("2013-")) == facts["months"]
    for band, minutes in facts["delays"].items():
        assert any(re.fullmatch(rf"{band} +{minutes}", line) for line in lines), (band, minutes, lines)
    assert (f"{facts['written']:,} of {facts['read']:,} flights in {len(facts['months'])} files are in "
            f"s3://{BUCKET}/transformed") in lines


def test_pool(job, printed, pandas, s3):
    by_ray, by_processes = job("pool")
    lines = printed(by_ray())
    facts = pandas("pool")
    summary = rf"{facts['airports']:,} airports by (\d+) workers of the {{}} pool in .* s: s3://{BUCKET}/nearest.csv"
    assert number(summary.format("ray"), lines) > 1
    result = content(s3, "nearest.csv")
    s3.delete_object(Bucket=BUCKET, Key="nearest.csv")
    lines = printed(by_processes())
    assert number(summary.format("multiprocessing"), lines) >= 1
    assert not any("Ray" in line for line in lines if not line.startswith("remora: ")), "nothing is connected to Ray"
    assert content(s3, "nearest.csv") == result


@pytest.fixture(scope="module")
def arrived(job, printed):
    """What the job on all sources has printed."""
    [start] = job("sources")
    return printed(start())


def report_of(s3, key):
    """A report, and what it says of the broken sources: reasons by their addresses."""
    report = json.loads(content(s3, key))
    return report, {b["source"]: b["reason"] for b in report.pop("broken")}


def test_sources(arrived, pandas, s3):
    facts = pandas("sources")
    report, broken = report_of(s3, "broken.json")
    assert sorted(facts["faults"].values()) == sorted(REASONS)
    assert report == {"sources": 300, "arrived": 300 - len(REASONS), "rows": facts["rows"]}
    assert list(broken) == list(facts["faults"]), "in the order of the manifest"
    for source, fault in facts["faults"].items():
        assert re.match(REASONS[fault], broken[source]), (fault, broken[source])
        assert f"broken: {source}: {broken[source]}" in arrived
    assert (f"{facts['rows']:,} rows of {300 - len(REASONS)} sources are in s3://{BUCKET}/arrived; "
            f"{len(REASONS)} sources are broken: s3://{BUCKET}/broken.json") in arrived


def test_sources_of_which_too_many_are_broken(arrived, s3, glue, ended):
    # The task of the first one fails as a whole, as it also does if Ray has repeated it in vain.
    wrong = {"ftp://example.com/a.csv": "ArrowInvalid: .*filesystem", "s3://no-such/a.csv": "there is no such object",
             f"s3://{BUCKET}/sources.json": "there is no reader for .json"}
    _, broken = report_of(s3, "broken.json")
    good = next(s for s in json.loads(content(s3, "sources.json")) if s not in broken)
    s3.put_object(Bucket=BUCKET, Key="others.json", Body=json.dumps([*wrong, good, good]).encode())
    before = s3.list_objects_v2(Bucket=BUCKET, Prefix="arrived/")["Contents"]
    run = ended("sources", glue.start_job_run(JobName="sources", Arguments={
        "--manifest": f"s3://{BUCKET}/others.json", "--report": f"s3://{BUCKET}/report.json", "--max_broken": "2",
    })["JobRunId"])
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].endswith(f"\n3 of 4 sources are broken, 2 are accepted: s3://{BUCKET}/report.json")
    report, broken = report_of(s3, "report.json")
    assert report == {"sources": 4, "arrived": 1, "rows": 100}
    assert list(broken) == list(wrong)
    assert all(re.match(reason, broken[source]) for source, reason in wrong.items()), broken
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="arrived/")["Contents"] == before, "the data set is as it was"


def test_inference(job, printed, pandas):
    [start] = job("inference")
    lines = printed(start())
    facts = pandas("inference")
    assert (f"accuracy {facts['accuracy']} in {facts['known']:,} flights that arrived; "
            f"plain scikit-learn: {facts['accuracy']}") in lines
    assert float(facts["accuracy"]) > facts["never"] + 0.1, "much better than never to expect a delay"
    assert f"{facts['loadings']} loadings of the model for {facts['batches']} batches" in lines
    assert facts["loadings"] <= 2 and facts["batches"] >= facts["rows"] / 4096
    assert f"{facts['rows']:,} predictions are in s3://{BUCKET}/predictions" in lines
