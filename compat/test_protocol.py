"""Requests that no SDK would send: what AWS answers with SerializationException and its like, never with a 500, and what
one client does wrong is no other client's trouble."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from wire import CONTENT_TYPE, TIMEOUT, call, send, signed


def test_unknown_operations_are_named(server, glue, refused):
    assert "GetCrawlers" in refused("UnknownOperationException", glue.get_crawlers)
    answer = call(server, "MakeCoffee", {})
    assert (answer.status, answer.code) == (400, "UnknownOperationException")
    assert "MakeCoffee" in answer.message
    answer = call(server, "GetJob", {}, prefix="AWSTea")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")
    assert "AWSTea" in answer.message


def test_unknown_members_are_ignored(server, definition, name):
    """Clients that are newer than the server send members that it has never heard of."""
    unknown = {"FutureMember": {"Deep": [1, {"x": None}]}, "AnotherOne": "text", "Nothing": None}
    assert call(server, "CreateJob", {**definition, **unknown, "Name": name}).status == 200
    job = call(server, "GetJob", {"JobName": name, **unknown}).json()["Job"]
    assert not set(unknown) & set(job)
    call(server, "DeleteJob", {"JobName": name})


def test_null_is_absence(server, definition, name):
    request = {**definition, "Name": name, "Description": None, "Timeout": None, "Tags": None}
    assert call(server, "CreateJob", request).status == 200
    assert "Description" not in call(server, "GetJob", {"JobName": name}).json()["Job"]
    call(server, "DeleteJob", {"JobName": name})


@pytest.mark.parametrize("member, value", [
    ("Name", 5), ("Name", ["a"]), ("Role", True), ("NumberOfWorkers", "3"), ("NumberOfWorkers", 1.5),
    ("NumberOfWorkers", 1 << 40), ("MaxCapacity", "much"), ("JobRunQueuingEnabled", "true"), ("Command", "python"),
    ("DefaultArguments", []), ("Connections", {"Connections": "x"}), ("Tags", {"a": 1}),
    ("ExecutionProperty", {"MaxConcurrentRuns": {}}),
])
def test_wrong_types_are_named(server, definition, member, value):
    answer = call(server, "CreateJob", {**definition, "Name": "never made", member: value})
    assert (answer.status, answer.code) == (400, "SerializationException"), answer
    assert answer.message.startswith(member), answer.message


@pytest.mark.parametrize("body", [
    b"{", b"}", b"null", b"[]", b'"text"', b"1", b'{"JobName":', b'{"JobName":"a"', b'{"JobName":"a}', b'{"JobName":"a"}}',
    b'{"JobName":"a"}{"JobName":"a"}', b'{JobName:"a"}', b"{'JobName':'a'}", b'{"JobName":"a",}', b'{"JobName":"\xff"}',
    b'{"JobName":"\\ud800"}', b'{"JobName":"\\u00"}', b'{"JobName":"a\nb"}', b'{"x":NaN}', b'{"x":01}', b'{"x":1e}',
    b"\x00", b"\xef\xbb\xbf{}", b"JobName=a",
])
def test_malformed_json(server, body):
    answer = call(server, "GetJob", body)
    assert (answer.status, answer.code) == (400, "SerializationException"), answer


def test_every_truncation_of_a_request(server, definition):
    whole = json.dumps({**definition, "Name": "never made"}).encode()
    for end in range(1, len(whole)):
        answer = call(server, "CreateJob", whole[:end])
        assert (answer.status, answer.code) == (400, "SerializationException"), (whole[:end], answer)


@pytest.mark.parametrize("body", [
    b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    b"[" * 3_000_000,
], ids=["arrays", "objects", "open"])
def test_deep_nesting(server, body):
    answer = call(server, "GetJob", body)
    assert (answer.status, answer.code) == (400, "SerializationException"), answer


def test_ten_megabytes(server, glue, definition, refused):
    large = {"x": "y" * 10_000_000}
    answer = call(server, "CreateJob", {**definition, "Name": "never made", "DefaultArguments": large})
    assert (answer.status, answer.code) == (413, "RequestEntityTooLargeException")
    # boto3 gets to see it, too, instead of a broken connection.
    refused("RequestEntityTooLargeException", glue.create_job, Name="never made", DefaultArguments=large, **definition)
    assert "Jobs" in glue.get_jobs(MaxResults=1)


def test_what_is_no_request_of_a_service(server):
    assert send(server, {}, None, method="GET").status == 404
    headers, body = signed(server, "GetJobs", {})
    assert send(server, headers, body, method="PUT").code == "UnknownOperationException"
    answer = send(server, {"Content-Type": CONTENT_TYPE}, b"{}")
    assert (answer.status, answer.code) == (404, "UnknownOperationException")


def test_answers_carry_a_request_id(server):
    good, bad = call(server, "GetJobs", {}), call(server, "GetJob", {})
    assert good.headers["x-amzn-RequestId"] != bad.headers["x-amzn-RequestId"]
    assert good.headers["Content-Type"] == bad.headers["Content-Type"] == CONTENT_TYPE


class Stalled:
    """Connections that do not get on."""

    def __init__(self, server):
        self.address, self.open = urlsplit(server.endpoint), []

    def send(self, data):
        s = socket.create_connection((self.address.hostname, self.address.port), timeout=TIMEOUT)
        s.sendall(data)
        self.open.append(s)
        return s

    def close(self):
        for s in self.open:
            s.close()


@pytest.fixture
def stalled(server):
    s = Stalled(server)
    yield s
    s.close()


def test_stalled_clients_do_not_hold_up_others(server, glue, stalled):
    headers, body = signed(server, "GetJobs", {})
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items() if k != "Content-Length").encode()
    beginnings = [
        b"",                                                                         # connects, says nothing
        b"POST / HT",                                                                # half a request line
        b"POST / HTTP/1.1\r\nHost: x\r\n" + head,                                     # headers without an end
        b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"Content-Length: 2\r\n\r\n{",       # half a body
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n1\r\n",
    ]
    for _ in range(40):
        for beginning in beginnings:
            stalled.send(beginning)
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: glue.get_jobs(MaxResults=1), range(40)):
            assert "Jobs" in answer


def test_half_open_clients_get_their_answer(server, stalled):
    """A client that shuts down its side after the request still reads."""
    s = stalled.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    s.shutdown(socket.SHUT_WR)
    assert s.makefile("rb").readline().startswith(b"HTTP/1.1 404 ")


def test_a_body_that_is_shorter_than_announced(server, stalled):
    s = stalled.send(b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSGlue.GetJobs\r\nContent-Length: 100\r\n\r\n{}")
    s.shutdown(socket.SHUT_WR)
    answer = s.makefile("rb").read()
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")


def test_keep_alive_survives_errors(server, glue, refused):
    """One connection, errors and good answers in turn."""
    one = server.client("glue", config=Config(max_pool_connections=1))
    for _ in range(5):
        refused("EntityNotFoundException", one.get_job, JobName="there is none")
        assert "Jobs" in one.get_jobs(MaxResults=1)
