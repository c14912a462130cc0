"""Who is let in, and with which of AWS's own errors the others are refused."""

import subprocess
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from server import PROGRAM
from wire import call, presigned_identity, send, signed

UNKNOWN = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def assert_refused(answer, code, part=""):
    assert (answer.status, answer.code) == (400, code), answer
    assert part in answer.message
    assert "Message" in answer.json(), "Glue's errors have a Message, with a capital M"


def test_no_signature(server):
    headers, body = signed(server, "GetJobs", {})
    del headers["Authorization"]
    assert_refused(send(server, headers, body), "MissingAuthenticationTokenException",
                   "Request is missing Authentication Token")


@pytest.mark.parametrize("header", ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential", "AWS4-HMAC-SHA256 Credential=a/b",
                                    "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature="])
def test_unreadable_signatures(server, header):
    headers, body = signed(server, "GetJobs", {})
    assert_refused(send(server, {**headers, "Authorization": header}, body), "IncompleteSignatureException")


def test_unknown_key(server):
    assert_refused(call(server, "GetJobs", {}, keys=UNKNOWN), "UnrecognizedClientException", "security token")


def test_wrong_secret(server):
    assert_refused(call(server, "GetJobs", {}, keys=(server.keys[0], "wrong")), "InvalidSignatureException",
                   "does not match the signature you provided")


@pytest.mark.parametrize("age, text", [(timedelta(minutes=20), "Signature expired"),
                                       (timedelta(minutes=-20), "Signature not yet current")])
def test_wrong_time(server, age, text):
    assert_refused(call(server, "GetJobs", {}, age=age), "InvalidSignatureException", text)


def test_a_small_difference_of_clocks_is_none(server):
    for age in (timedelta(minutes=4), timedelta(minutes=-4)):
        assert call(server, "GetJobs", {}, age=age).status == 200


def test_a_signature_is_for_one_request(server):
    headers, body = signed(server, "GetJobs", {})
    assert send(server, headers, body).status == 200
    assert_refused(send(server, headers, b'{"MaxResults":1}'), "InvalidSignatureException")
    assert_refused(send(server, {**headers, "X-Amz-Target": "AWSGlue.ListJobs"}, body), "InvalidSignatureException")
    assert_refused(send(server, {**headers, "X-Amz-Other": "1"}, body), "InvalidSignatureException", "X-Amz-Other")
    assert_refused(send(server, headers, body, path="/?x=1"), "InvalidSignatureException")


def test_a_signature_is_for_one_service(server):
    assert_refused(call(server, "GetJobs", {}, service="logs"), "InvalidSignatureException", "service")


def test_boto3_raises_the_types(server, refused):
    wrong = server.client("glue", aws_secret_access_key="wrong")
    assert "does not match" in refused("InvalidSignatureException", wrong.get_jobs)
    unknown = server.client("glue", aws_access_key_id=UNKNOWN[0])
    refused("UnrecognizedClientException", unknown.get_jobs)
    refused("UnrecognizedClientException", server.client("logs", aws_access_key_id=UNKNOWN[0]).describe_log_groups)
    refused("InvalidClientTokenId", server.client("sts", aws_access_key_id=UNKNOWN[0]).get_caller_identity)
    refused("SignatureDoesNotMatch", server.client("sts", aws_secret_access_key="wrong").get_caller_identity)
    refused("InvalidAccessKeyId", server.client("s3", aws_access_key_id=UNKNOWN[0]).list_buckets)
    refused("SignatureDoesNotMatch", server.client("s3", aws_secret_access_key="wrong").list_buckets)


def test_errors_of_logs_have_a_small_message(server):
    answer = call(server, "DescribeLogGroups", {}, service="logs", prefix="Logs_20140328", keys=UNKNOWN)
    assert answer.code == "UnrecognizedClientException"
    assert "message" in answer.json()


def test_caller_identity(server):
    identity = server.client("sts").get_caller_identity()
    assert (identity["Account"], identity["UserId"]) == ("000000000000", "000000000000")
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"


def test_caller_identity_in_an_address(server):
    answer = send(server, {}, None, method="GET", path=presigned_identity(server))
    assert answer.status == 200 and b"<Account>000000000000</Account>" in answer.body

    def error(**how):
        refused = send(server, {}, None, method="GET", path=presigned_identity(server, **how))
        assert refused.status == 403
        return ElementTree.fromstring(refused.body).findtext(".//{*}Error/{*}Code")

    assert error(age=timedelta(minutes=10)) == "SignatureDoesNotMatch"
    assert error(keys=UNKNOWN) == "InvalidClientTokenId"
    assert error(keys=(server.keys[0], "wrong")) == "SignatureDoesNotMatch"


def test_unknown_action_of_sts(server, refused):
    assert "AssumeRole" in refused("InvalidAction", server.client("sts").assume_role,
                                   RoleArn="arn:aws:iam::000000000000:role/any", RoleSessionName="any")


def test_keys_are_rotated_while_the_server_runs(server, glue):
    """The new key is good at once and the former one stays so for its grace time."""
    former = server.keys
    subprocess.run([PROGRAM, "--data-dir", server.data, "keys", "rotate"], check=True, stdout=subprocess.PIPE)
    fresh = server.client_environment()
    keys = (fresh["AWS_ACCESS_KEY_ID"], fresh["AWS_SECRET_ACCESS_KEY"])
    assert keys != former
    for pair in (keys, former):
        assert call(server, "GetJobs", {}, keys=pair).status == 200
        s3 = server.client("s3", aws_access_key_id=pair[0], aws_secret_access_key=pair[1])
        assert "Buckets" in s3.list_buckets()
