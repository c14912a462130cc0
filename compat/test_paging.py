"""Paging tokens: stable while jobs and runs come and go, and good for nothing but the listing they are of."""

import base64

import pytest


@pytest.fixture(scope="module")
def family(glue, definition):
    """Seven jobs with a common tag."""
    names = [f"family-{i}" for i in range(7)]
    for n in names:
        glue.create_job(Name=n, Tags={"family": "yes"}, **definition)
    yield names
    for n in names:
        glue.delete_job(JobName=n)


@pytest.fixture(scope="module")
def history(glue, definition, ended):
    """A job with five runs that have ended, newest first."""
    glue.create_job(Name="history", **definition)
    ids = []
    for _ in range(5):
        ids.insert(0, glue.start_job_run(JobName="history")["JobRunId"])
        ended("history", ids[0])
    yield ids
    glue.delete_job(JobName="history")


def test_jobs_come_and_go_between_pages(glue, family, definition):
    first = glue.list_jobs(Tags={"family": "yes"}, MaxResults=3)
    assert first["JobNames"] == family[:3]
    # One that was listed goes, one that would be listed goes, and there is a new one.
    for n in (family[2], family[4]):
        glue.delete_job(JobName=n)
    glue.create_job(Name="family-new", Tags={"family": "yes"}, **definition)
    rest, token = [], first["NextToken"]
    while token:
        page = glue.list_jobs(Tags={"family": "yes"}, MaxResults=1, NextToken=token)
        rest += page["JobNames"]
        token = page.get("NextToken")
    assert rest == [family[3], family[5], family[6], "family-new"]
    for n in (family[2], family[4]):
        glue.create_job(Name=n, Tags={"family": "yes"}, **definition)
    glue.delete_job(JobName="family-new")


def test_a_token_serves_twice(glue, family):
    token = glue.get_jobs(MaxResults=2)["NextToken"]
    once, again = (glue.get_jobs(MaxResults=2, NextToken=token) for _ in range(2))
    assert [j["Name"] for j in once["Jobs"]] == [j["Name"] for j in again["Jobs"]]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pages_of_any_size_add_up(glue, family, size):
    pages = glue.get_paginator("list_jobs").paginate(Tags={"family": "yes"}, PaginationConfig={"PageSize": size})
    assert sorted(n for p in pages for n in p["JobNames"]) == family


def test_runs_newest_first_while_new_ones_start(glue, history, ended):
    first = glue.get_job_runs(JobName="history", MaxResults=2)
    assert [r["Id"] for r in first["JobRuns"]] == history[:2]
    new = glue.start_job_run(JobName="history")["JobRunId"]
    rest = glue.get_job_runs(JobName="history", NextToken=first["NextToken"])
    assert [r["Id"] for r in rest["JobRuns"]] == history[2:]
    assert "NextToken" not in rest
    assert glue.get_job_runs(JobName="history")["JobRuns"][0]["Id"] == new
    ended("history", new)
    history.insert(0, new)


def test_runs_outlive_their_job(glue, name, definition, ended):
    glue.create_job(Name=name, **definition)
    run = glue.start_job_run(JobName=name)["JobRunId"]
    ended(name, run)
    glue.delete_job(JobName=name)
    assert [r["Id"] for r in glue.get_job_runs(JobName=name)["JobRuns"]] == [run]
    assert glue.get_job_run(JobName=name, RunId=run)["JobRun"]["JobName"] == name


def test_foreign_tokens_are_refused(glue, family, history, job, refused):
    jobs = glue.get_jobs(MaxResults=1)["NextToken"]
    tagged = glue.list_jobs(Tags={"family": "yes"}, MaxResults=1)["NextToken"]
    runs = glue.get_job_runs(JobName="history", MaxResults=1)["NextToken"]
    for operation, arguments in [
        (glue.list_jobs, {"NextToken": jobs}),
        (glue.list_jobs, {"NextToken": tagged}),
        (glue.list_jobs, {"Tags": {"family": "no"}, "NextToken": tagged}),
        (glue.get_jobs, {"NextToken": runs}),
        (glue.get_job_runs, {"JobName": job, "NextToken": runs}),
    ]:
        assert "token" in refused("InvalidInputException", operation, **arguments)


def test_changed_tokens_are_refused(glue, family, refused):
    token = glue.get_jobs(MaxResults=1)["NextToken"]
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    forged = []
    for i in range(len(raw)):
        raw[i] ^= 1
        forged.append(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))
        raw[i] ^= 1
    for bad in [*forged, token[:-1], token + "A", token + "=", "1", "x" * 5000, token + "\n"]:
        assert "token" in refused("InvalidInputException", glue.get_jobs, NextToken=bad)
    assert glue.get_jobs(NextToken="")["Jobs"], "an empty token is the beginning"
