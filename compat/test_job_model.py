"""Every member of a job that the published model has comes back as it was given."""

import re
from datetime import datetime, timezone

import boto3
import pytest

# Members that the service sets itself, or refuses for Ray jobs.
REFUSED = {"Timeout", "MaxCapacity", "AllocatedCapacity"}
RAY = {"WorkerType": "Z.2X", "NumberOfWorkers": 2, "GlueVersion": "4.0", "MaxRetries": 3,
       "Command": {"Name": "glueray", "Runtime": "Ray2.60", "PythonVersion": "3.9", "ScriptLocation": "s3://bucket/key.py"}}
TEXTS = ["text", "1", "3", "true", "s3://bucket/key", "a.b", "2024-01-01", "Mon:10", "arn:aws:iam::123456789012:role/any",
         "arn:aws:kms:us-east-1:123456789012:key/any", "arn:aws:glue:us-east-1:123456789012:job/any", "{}", "A", "us-east-1"]


class Generator:
    """Makes a value of a shape with all of its members. A shape within itself is left out: the model's graphs have no end."""

    def __init__(self):
        self.open, self.count = [], 0

    def value(self, shape):
        if shape.name in self.open or len(self.open) > 12:
            return None
        self.open.append(shape.name)
        try:
            return getattr(self, shape.type_name)(shape)
        finally:
            self.open.pop()

    def structure(self, shape):
        made = {name: self.value(member) for name, member in shape.members.items()}
        if any(made[name] is None for name in shape.required_members):
            return None
        return {k: v for k, v in made.items() if v is not None}

    def list(self, shape):
        one = self.value(shape.member)
        return None if one is None else [one] * max(1, shape.metadata.get("min", 1))

    def map(self, shape):
        value = self.value(shape.value)
        return None if value is None else {self.value(shape.key): value}

    def string(self, shape):
        if shape.enum:
            return shape.enum[0]
        meta = shape.metadata
        pattern = meta.get("pattern", "")
        # Java writes the characters beyond 16 bits as surrogates.
        for java, python in ((r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010ffff"), (r"\p{Cc}", r"\x00-\x1f"),
                             (r"[\s\S]", r"(?s:.)")):
            pattern = pattern.replace(java, python)
        self.count += 1
        low, high = meta.get("min", 0), meta.get("max", 1 << 20)
        candidates = [f"text{self.count}", *TEXTS]
        candidates += [t * (low // len(t) + 1) for t in candidates]
        for text in candidates:
            if low <= len(text) <= high and re.search(pattern, text):
                return text
        raise AssertionError(f"no text for {shape.name}, of {low} to {high} characters, pattern {pattern}")

    def integer(self, shape):
        self.count += 1
        return max(shape.metadata.get("min", 1), min(self.count, shape.metadata.get("max", 1 << 30)))

    long = integer

    def float(self, shape):
        return float(max(shape.metadata.get("min", 0), 0)) + 0.5

    double = float

    def boolean(self, shape):
        return True

    def timestamp(self, shape):
        return datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def model():
    return boto3.session.Session().client("glue", region_name="us-east-1").meta.service_model


def maximal(shape):
    made = Generator().structure(shape)
    assert set(made) == set(shape.members), "members without a value"
    return {**{k: v for k, v in made.items() if k not in REFUSED | {"Name", "Tags"}}, **RAY}


def leaves(value, path=""):
    """Paths of a value's leaves, with the leaves; an empty list or map is one."""
    if value and isinstance(value, dict):
        return {p: v for k, e in value.items() for p, v in leaves(e, f"{path}.{k}").items()}
    if value and isinstance(value, list):
        return {p: v for i, e in enumerate(value) for p, v in leaves(e, f"{path}[{i}]").items()}
    return {path: value}


def differences(sent, answered):
    """What was sent and came back otherwise."""
    sent, answered = leaves(sent), leaves(answered)
    return {p: (v, answered.get(p)) for p, v in sent.items() if p not in answered or answered[p] != v}


def test_all_members_come_back(glue, name, model):
    sent = maximal(model.shape_for("CreateJobRequest"))
    assert len(leaves(sent)) > 500, "the generator has lost the model"
    glue.create_job(Name=name, Tags={"a": "b"}, **sent)
    job = glue.get_job(JobName=name)["Job"]
    assert set(sent) <= set(model.shape_for("Job").members)
    assert differences(sent, job) == {}
    assert (job["Timeout"], job["MaxCapacity"], job["AllocatedCapacity"]) == (480, 4.0, 4)
    # Sent again it is the same job, not another configuration.
    glue.create_job(Name=name, Tags={"a": "b"}, **sent)

    update = maximal(model.shape_for("JobUpdate"))
    glue.update_job(JobName=name, JobUpdate=update)
    job = glue.get_job(JobName=name)["Job"]
    assert differences(update, job) == {}
    glue.delete_job(JobName=name)


def test_all_members_of_a_run_come_back(glue, name, model, definition, ended):
    request = Generator().structure(model.shape_for("StartJobRunRequest"))
    left_out = REFUSED | {"JobRunId", "WorkerType"}
    sent = {k: v for k, v in request.items() if k not in left_out} | {"JobName": name, "WorkerType": "Z.2X"}
    glue.create_job(Name=name, **definition)
    run_id = glue.start_job_run(**sent)["JobRunId"]
    assert re.fullmatch("jr_[0-9a-f]{64}", run_id)
    run = ended(name, run_id)
    answered = model.shape_for("JobRun").members
    assert differences({k: v for k, v in sent.items() if k in answered}, run) == {}
    glue.delete_job(JobName=name)
