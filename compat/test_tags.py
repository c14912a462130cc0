"""Tags of jobs."""

import pytest


@pytest.fixture
def arn(server, job):
    return f"arn:aws:glue:{server.ready['region']}:000000000000:job/{job}"


def test_tag_and_untag(glue, arn):
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {}
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"a": "1", "b": ""})
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"b": "2", "ключ": "значение"})
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1", "b": "2", "ключ": "значение"}
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["a", "never there"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"b": "2", "ключ": "значение"}


def test_tags_of_a_new_job_end_with_it(glue, name, definition):
    arn = f"arn:aws:glue:us-east-1:000000000000:job/{name}"
    glue.create_job(Name=name, Tags={"team": "data"}, **definition)
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "data"}
    glue.delete_job(JobName=name)
    glue.create_job(Name=name, **definition)
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {}
    glue.delete_job(JobName=name)


def test_an_update_keeps_tags(glue, job, arn, definition):
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"a": "1"})
    glue.update_job(JobName=job, JobUpdate=definition)
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1"}


def test_an_empty_account_is_this_one(glue, job, arn):
    """Terraform with skip_requesting_account_id has no account to put into the ARN."""
    empty = f"arn:aws:glue:us-east-1::job/{job}"
    glue.tag_resource(ResourceArn=empty, TagsToAdd={"a": "1"})
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1"} == glue.get_tags(ResourceArn=empty)["Tags"]
    glue.untag_resource(ResourceArn=empty, TagsToRemove=["a"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {}


def test_list_jobs_by_tags(glue, name, definition):
    wanted = [f"{name}-{i}" for i in range(3)]
    for i, n in enumerate(wanted):
        glue.create_job(Name=n, Tags={"suite": name, "number": str(i)}, **definition)
    assert glue.list_jobs(Tags={"suite": name})["JobNames"] == wanted
    assert glue.list_jobs(Tags={"suite": name, "number": "1"})["JobNames"] == wanted[1:2]
    assert glue.list_jobs(Tags={"suite": "another"})["JobNames"] == []
    first = glue.list_jobs(Tags={"suite": name}, MaxResults=2)
    assert first["JobNames"] == wanted[:2]
    assert glue.list_jobs(Tags={"suite": name}, NextToken=first["NextToken"])["JobNames"] == wanted[2:]
    for n in wanted:
        glue.delete_job(JobName=n)


@pytest.mark.parametrize("arn", ["arn:aws:glue:us-east-1:000000000000:job/there is none",
                                 "arn:aws:glue:us-east-1:000000000000:crawler/any"])
def test_unknown_resources(glue, refused, arn):
    refused("EntityNotFoundException", glue.get_tags, ResourceArn=arn)
    refused("EntityNotFoundException", glue.tag_resource, ResourceArn=arn, TagsToAdd={"a": "1"})
    refused("EntityNotFoundException", glue.untag_resource, ResourceArn=arn, TagsToRemove=["a"])


def test_what_is_no_arn(glue, refused):
    assert "at 'resourceArn'" in refused("ValidationException", glue.get_tags, ResourceArn="job/any")
    refused("InvalidInputException", glue.get_tags, ResourceArn="arn:aws:glue:too-short")


def test_fifty_tags_and_no_more(glue, arn, refused):
    glue.tag_resource(ResourceArn=arn, TagsToAdd={f"k{i}": "" for i in range(50)})
    assert "50" in refused("InvalidInputException", glue.tag_resource, ResourceArn=arn, TagsToAdd={"one more": ""})
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"k7": "changed"})
    assert glue.get_tags(ResourceArn=arn)["Tags"]["k7"] == "changed"
