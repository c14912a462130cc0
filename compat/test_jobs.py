"""Jobs: every operation on them, and the rules for Ray jobs that the service model does not hold."""

from datetime import datetime, timezone

import pytest

WORKER_TYPE = "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs."
MAX_CAPACITY = "Please do not set Max Capacity if using Worker Type and Number of Workers"
TIMEOUT = "Timeout not supported for Ray jobs"


def test_create_get_update_delete(glue, name, definition, refused):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    assert glue.create_job(Name=name, **definition)["Name"] == name
    job = glue.get_job(JobName=name)["Job"]
    assert before <= job["CreatedOn"] == job["LastModifiedOn"]
    assert {k: job[k] for k in definition} == definition
    assert job["Timeout"] == 480 and job["MaxRetries"] == 0 and job["MaxCapacity"] == 2.0

    update = {**definition, "NumberOfWorkers": 3, "Description": "three"}
    assert glue.update_job(JobName=name, JobUpdate=update)["JobName"] == name
    changed = glue.get_job(JobName=name)["Job"]
    assert (changed["NumberOfWorkers"], changed["Description"], changed["MaxCapacity"]) == (3, "three", 6.0)
    assert changed["CreatedOn"] == job["CreatedOn"] <= changed["LastModifiedOn"]

    # An update replaces the definition: what it does not name is unset.
    glue.update_job(JobName=name, JobUpdate=definition)
    assert "Description" not in glue.get_job(JobName=name)["Job"]

    assert glue.delete_job(JobName=name)["JobName"] == name
    assert refused("EntityNotFoundException", glue.get_job, JobName=name) == "Job not found."
    assert glue.delete_job(JobName=name)["JobName"] == name  # no error the second time


def test_names_of_any_script(glue, definition):
    name = "naïve job 日本 #1 / 50% «»"
    glue.create_job(Name=name, **definition)
    assert glue.get_job(JobName=name)["Job"]["Name"] == name
    assert name in glue.list_jobs()["JobNames"]
    glue.delete_job(JobName=name)


def test_create_is_idempotent(glue, job, definition, refused):
    assert glue.create_job(Name=job, **definition)["Name"] == job
    other = {**definition, "NumberOfWorkers": 2}
    assert refused("IdempotentParameterMismatchException", glue.create_job, Name=job, **other) == \
        "Job already submitted with different configuration"
    assert glue.get_job(JobName=job)["Job"]["NumberOfWorkers"] == 1


def test_batch_get_jobs(glue, job):
    answer = glue.batch_get_jobs(JobNames=["there is none", job, "there is none"])
    assert [j["Name"] for j in answer["Jobs"]] == [job]
    assert answer["JobsNotFound"] == ["there is none"]
    assert answer["Jobs"][0] == glue.get_job(JobName=job)["Job"]


def test_get_jobs_and_list_jobs_agree(glue, job):
    jobs = {j["Name"]: j for page in glue.get_paginator("get_jobs").paginate() for j in page["Jobs"]}
    names = [n for page in glue.get_paginator("list_jobs").paginate() for n in page["JobNames"]]
    assert list(jobs) == names
    assert jobs[job] == glue.get_job(JobName=job)["Job"]


@pytest.mark.parametrize("members, text", [
    ({"WorkerType": "G.1X"}, WORKER_TYPE),
    ({"WorkerType": None}, WORKER_TYPE),
    ({"WorkerType": None, "NumberOfWorkers": None, "MaxCapacity": 10.0}, WORKER_TYPE),
    ({"MaxCapacity": 4.0}, MAX_CAPACITY),
    ({"AllocatedCapacity": 4}, MAX_CAPACITY),
    ({"Timeout": 60}, TIMEOUT),
    ({"Command": {"Name": "glueray", "ScriptLocation": "s3://bucket/script.py"}},
     "Runtime parameter is required for GlueRay command"),
])
def test_texts_of_the_service(glue, name, job, definition, refused, members, text):
    changed = {k: v for k, v in {**definition, **members}.items() if v is not None}
    assert refused("InvalidInputException", glue.create_job, Name=name + "-2", **changed) == text
    assert refused("InvalidInputException", glue.update_job, JobName=job, JobUpdate=changed) == text
    assert name + "-2" not in glue.list_jobs()["JobNames"]


@pytest.mark.parametrize("members, part", [
    ({"NumberOfWorkers": None}, "Number of Workers"),
    ({"NumberOfWorkers": 0}, "NumberOfWorkers"),
    ({"MaxRetries": 11}, "MaxRetries"),
    ({"MaxRetries": -1}, "MaxRetries"),
    ({"ExecutionProperty": {"MaxConcurrentRuns": 0}}, "MaxConcurrentRuns"),
    ({"GlueVersion": "3.0"}, "GlueVersion"),
    ({"Command": {"Name": "glueetl", "ScriptLocation": "s3://bucket/s.py"}}, "glueetl"),
    ({"Command": {"Name": "glueray", "Runtime": "Ray9.9", "ScriptLocation": "s3://bucket/s.py"}}, "Ray9.9"),
    ({"Command": {"Name": "glueray", "Runtime": "Ray2.60", "ScriptLocation": "/tmp/script.py"}}, "/tmp/script.py"),
    ({"Command": {"Name": "glueray", "Runtime": "Ray2.60"}}, "ScriptLocation"),
    ({"DefaultArguments": {"--object_store_memory_head": "101"}}, "--object_store_memory_head"),
])
def test_what_cannot_run_is_refused_by_name(glue, name, definition, refused, members, part):
    changed = {k: v for k, v in {**definition, **members}.items() if v is not None}
    assert part in refused("InvalidInputException", glue.create_job, Name=name, **changed)


@pytest.mark.parametrize("members, member", [
    ({"Description": "x" * 2049}, "description"),
    ({"Description": "tab\x00"}, "description"),
    ({"Name": "x" * 256}, "name"),
    ({"GlueVersion": "four"}, "glueVersion"),
    ({"JobMode": "GUESS"}, "jobMode"),
    ({"Tags": {str(i): "" for i in range(51)}}, "tags"),
])
def test_model_constraints(glue, name, definition, refused, members, member):
    text = refused("ValidationException", glue.create_job, **{"Name": name, **definition, **members})
    assert f"at '{member}'" in text, text


def test_update_of_an_unknown_job(glue, definition, refused):
    assert refused("EntityNotFoundException", glue.update_job, JobName="there is none", JobUpdate=definition)
