"""CloudWatch Logs, as the clients of Glue use it. The store itself has tests of its own."""

import time

import pytest
from log_tail import Tail


@pytest.fixture
def stream(logs, name):
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="stream")
    yield name, "stream"
    logs.delete_log_group(logGroupName=name)


@pytest.fixture
def write(logs, stream):
    group, name = stream

    def put(*messages):
        now = int(time.time() * 1000)
        logs.put_log_events(logGroupName=group, logStreamName=name,
                            logEvents=[{"timestamp": now, "message": m} for m in messages])

    return put


def test_tail_shows_each_line_once(logs, stream, write):
    tail = Tail(logs, stream[0])
    assert tail.news() == []
    write("one", "two")
    assert tail.news() == ["one", "two"]
    assert tail.news() == []
    for i in range(20):  # several of them in one millisecond
        write(f"line {i}", f"also {i}")
        assert tail.news() == [f"line {i}", f"also {i}"]


def test_get_log_events_waits_at_the_end(logs, stream, write):
    where = {"logGroupName": stream[0], "logStreamName": stream[1]}
    write("one")
    page = logs.get_log_events(**where, startFromHead=True)
    end = logs.get_log_events(**where, nextToken=page["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], page["nextForwardToken"])
    write("two")
    [event] = logs.get_log_events(**where, nextToken=end["nextForwardToken"])["events"]
    assert event["message"] == "two"


def test_filter_pattern(logs, stream, write):
    write("INFO all is well", "ERROR nothing is", "INFO ERROR both")

    def found(pattern):
        return [e["message"] for e in logs.filter_log_events(logGroupName=stream[0], filterPattern=pattern)["events"]]

    assert found("ERROR") == ["ERROR nothing is", "INFO ERROR both"]
    assert found("ERROR -INFO") == ["ERROR nothing is"]
    assert found('"is well"') == ["INFO all is well"]


def test_missing_groups_and_streams(logs, stream, refused):
    """Airflow goes on without logs if it is told ResourceNotFoundException, and fails on all else."""
    missing = {"logGroupName": "/aws-glue/ray/jobs/output"}
    assert "log group does not exist" in refused("ResourceNotFoundException", logs.filter_log_events, **missing)
    refused("ResourceNotFoundException", logs.get_log_events, **missing, logStreamName="any")
    refused("ResourceNotFoundException", logs.describe_log_streams, **missing)
    text = refused("ResourceNotFoundException", logs.get_log_events, logGroupName=stream[0], logStreamName="none")
    assert "log stream does not exist" in text
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName=stream[0])


def test_bad_requests(logs, stream, refused):
    refused("InvalidParameterException", logs.filter_log_events, logGroupName=stream[0], nextToken="made up")
    refused("InvalidParameterException", logs.get_log_events, logGroupName="no spaces allowed", logStreamName="x")
    assert "GetQueryResults" in refused("UnknownOperationException", logs.get_query_results, queryId="any")
