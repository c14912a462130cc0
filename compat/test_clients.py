"""The call patterns of Airflow's Amazon provider and of Terraform's aws_glue_job."""

import uuid

import pytest


def test_airflow_finds_its_own_run_again(glue, name, definition, ended):
    """A retried Airflow task looks for the run that its former try started, by an argument of its own, among the newest
    fifty."""
    glue.create_job(Name=name, ExecutionProperty={"MaxConcurrentRuns": 100}, **definition)
    mine, runs = str(uuid.uuid4()), []
    for i in range(55):
        tag = mine if i == 30 else str(uuid.uuid4())
        runs.append(glue.start_job_run(JobName=name, Arguments={"--airflow-tag": tag, "--x": str(i)})["JobRunId"])
    newest = glue.get_job_runs(JobName=name, MaxResults=50)["JobRuns"]
    assert [r["Id"] for r in newest] == runs[:4:-1]
    [found] = [r for r in newest if r["Arguments"].get("--airflow-tag") == mine]
    assert found["Id"] == runs[30]
    assert found["Arguments"] == {"--airflow-tag": mine, "--x": "30"}
    for r in runs:
        ended(name, r)
    glue.delete_job(JobName=name)


def test_airflow_without_worker_type_sends_a_capacity(glue, job, ended):
    run = glue.start_job_run(JobName=job, Arguments={}, MaxCapacity=10.0)["JobRunId"]
    assert ended(job, run)["NumberOfWorkers"] == 1


def test_airflow_reads_logs(glue, logs, job, ended, refused):
    """LogGroupName is there from the start; `<LogGroupName>/output` and `/error` are groups of Spark only."""
    run = glue.start_job_run(JobName=job)["JobRunId"]
    group = glue.get_job_run(JobName=job, RunId=run)["JobRun"]["LogGroupName"]
    for stream in ("output", "error"):
        refused("ResourceNotFoundException", logs.get_log_events, logGroupName=f"{group}/{stream}", logStreamName=run)
    ended(job, run)


def test_a_run_without_a_script_fails_and_is_retried(glue, name, definition, ended):
    glue.create_job(Name=name, MaxRetries=2, **definition)
    first = glue.start_job_run(JobName=name, Arguments={"--a": "1"})["JobRunId"]
    chain = [first, f"{first}_attempt_1", f"{first}_attempt_2"]
    runs = [ended(name, r) for r in chain]
    assert [r["JobRunState"] for r in runs] == ["FAILED"] * 3, "ERROR would let Airflow's synchronous polling run for ever"
    assert [r["Attempt"] for r in runs] == [0, 1, 2]
    assert [r.get("PreviousRunId") for r in runs] == [None, *chain[:2]]
    assert all(r["Arguments"] == {"--a": "1"} for r in runs)
    assert all("no-such-bucket" in r["ErrorMessage"] for r in runs)
    assert [r["Id"] for r in glue.get_job_runs(JobName=name)["JobRuns"]] == chain[::-1]
    glue.delete_job(JobName=name)


@pytest.mark.parametrize("members, text", [
    ({"WorkerType": "G.1X", "NumberOfWorkers": 2},
     "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs."),
    ({"WorkerType": "Z.2X", "MaxCapacity": 2.0}, "Please do not set Max Capacity if using Worker Type and Number of Workers"),
    ({"Timeout": 10}, "Timeout not supported for Ray jobs"),
])
def test_texts_of_start_job_run(glue, job, refused, members, text):
    assert refused("InvalidInputException", glue.start_job_run, JobName=job, **members) == text
    assert glue.get_job_runs(JobName=job)["JobRuns"] == []


def test_runs_that_are_not_there(glue, job, refused):
    text = refused("EntityNotFoundException", glue.start_job_run, JobName="there is none")
    assert text == "Failed to start job run due to missing metadata"
    refused("EntityNotFoundException", glue.start_job_run, JobName=job, JobRunId="jr_unknown")
    refused("EntityNotFoundException", glue.get_job_run, JobName=job, RunId="jr_unknown")
    refused("EntityNotFoundException", glue.get_job_runs, JobName="there is none")
    too_many = refused("ValidationException", glue.batch_stop_job_run, JobName=job, JobRunIds=["jr_1"] * 26)
    assert "at 'jobRunIds'" in too_many


def test_a_run_belongs_to_its_job(glue, job, name, definition, ended, refused):
    run = glue.start_job_run(JobName=job)["JobRunId"]
    ended(job, run)
    other = name + "-other"
    glue.create_job(Name=other, **definition)
    refused("EntityNotFoundException", glue.get_job_run, JobName=other, RunId=run)
    [error] = glue.batch_stop_job_run(JobName=other, JobRunIds=[run])["Errors"]
    assert error["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    glue.delete_job(JobName=other)


def test_terraform_sees_no_difference(glue, name, definition):
    """Create, read, plan, change and destroy. What is unset must stay absent, or each plan shows a change."""
    arn = f"arn:aws:glue:us-east-1::job/{name}"
    glue.create_job(Name=name, Tags={"env": "test"}, DefaultArguments={"--a": "1"}, **definition)
    job = glue.get_job(JobName=name)["Job"]
    for unset in ("Description", "ExecutionClass", "Connections", "NonOverridableArguments", "NotificationProperty",
                  "SecurityConfiguration", "SourceControlDetails", "MaintenanceWindow", "JobMode"):
        assert unset not in job, unset
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert (job["MaxRetries"], job["Timeout"], job["GlueVersion"]) == (0, 480, "4.0")
    assert job["Command"] == definition["Command"]
    assert job["DefaultArguments"] == {"--a": "1"}
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"env": "test"}

    update = {**definition, "DefaultArguments": {"--a": "2"}, "Description": "changed",
              "ExecutionProperty": {"MaxConcurrentRuns": 5}}
    glue.update_job(JobName=name, JobUpdate=update)
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["env"])
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"env": "production"})
    job = glue.get_job(JobName=name)["Job"]
    assert {k: job[k] for k in update} == update
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"env": "production"}

    glue.delete_job(JobName=name)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_job(JobName=name)
