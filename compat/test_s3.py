"""What S3 clients send that boto3 does not. The store has tests of its own."""

import base64
import http.client
import zlib
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from wire import TIMEOUT


def signed_headers(server, method, path, headers):
    request = AWSRequest(method, server.ready["s3_endpoint"] + path, headers=headers)
    if "x-amz-trailer" in headers:
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    S3SigV4Auth(Credentials(*server.keys), "s3", server.ready["region"]).add_auth(request)
    return dict(request.headers.items())


def test_a_chunked_upload_ends_with_its_last_chunk(server, s3):
    """pyarrow's S3 client frames a body twice: as aws-chunked, and by HTTP's own chunks. What is behind the end of the inner
    one is not the next request on the connection."""
    s3.create_bucket(Bucket="chunked")
    data = b"data " * 1000
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
    inner = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, checksum)
    address = urlsplit(server.ready["s3_endpoint"])
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT)
    put = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data)), "x-amz-trailer": "x-amz-checksum-crc32"}
    for i in range(20):
        path = f"/chunked/{i}"
        headers = {**signed_headers(server, "PUT", path, put), "Transfer-Encoding": "chunked"}
        connection.request("PUT", path, body=iter([inner]), headers=headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b""), f"upload {i}"
        connection.request("GET", path, headers=signed_headers(server, "GET", path, {}))
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, data), f"download {i}"
    connection.close()
