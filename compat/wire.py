"""Requests as bytes: signed by botocore, then sent without a client that corrects or retries anything."""

import http.client
import json
from datetime import datetime, timedelta, timezone
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CONTENT_TYPE = "application/x-amz-json-1.1"
TIMEOUT = 120


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The error's type, which must be the same in header and body."""
        assert self.headers["x-amzn-ErrorType"] == self.json()["__type"]
        return self.json()["__type"]

    @property
    def message(self):
        return self.json().get("Message") or self.json().get("message")

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def signed(server, operation, body, *, service="glue", prefix="AWSGlue", keys=None, region=None, age=timedelta(0)):
    """Headers of a request for an operation. age is how long ago it was signed."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = AWSRequest("POST", server.endpoint + "/", data=body,
                         headers={"Content-Type": CONTENT_TYPE, "X-Amz-Target": f"{prefix}.{operation}"})
    with clock(age):
        SigV4Auth(Credentials(*(keys or server.keys)), service, region or server.ready["region"]).add_auth(request)
    return dict(request.headers.items()), body


def clock(age):
    """botocore's clock, turned back."""
    then = datetime.now(timezone.utc) - age
    return mock.patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: then.replace(tzinfo=None))


def send(server, headers, body, method="POST", path="/"):
    address = urlsplit(server.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT)
    try:
        try:
            connection.request(method, path, body=body, headers=headers)
        except BrokenPipeError:
            pass  # refused before all of it was sent; the answer is there
        return Answer(connection.getresponse())
    finally:
        connection.close()


def call(server, operation, body, **how):
    """Signs and sends a request for an operation of Glue."""
    headers, body = signed(server, operation, body, **how)
    return send(server, headers, body)


def presigned_identity(server, *, keys=None, expires=60, age=timedelta(0)):
    """The address of a presigned GetCallerIdentity, as `aws-iam-authenticator` makes them."""
    request = AWSRequest("GET", server.endpoint + "/?Action=GetCallerIdentity&Version=2011-06-15")
    with clock(age):
        SigV4QueryAuth(Credentials(*(keys or server.keys)), "sts", server.ready["region"], expires=expires).add_auth(request)
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}"
