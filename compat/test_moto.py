"""moto's own tests of Glue's jobs, against a server without jobs; see moto_plugin.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from server import Server

HERE = Path(__file__).parent
FILES = ["tests/test_glue/test_glue.py", "tests/test_glue/test_glue_job_runs.py"]


@pytest.fixture
def empty():
    s = Server()
    try:
        yield s.start()
    finally:
        s.close()


def test_moto(empty):
    folder = os.environ["REMORA_COMPAT_MOTO"]  # set by compat/run
    env = {**empty.environment, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "TEST_SERVER_MODE": "true",
           "TEST_SERVER_MODE_ENDPOINT": empty.endpoint, "MOTO_CALL_RESET_API": "false"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "moto_plugin", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", folder,
         "--timeout", "120", "--tb=short", "-rfEX", *FILES],
        cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:]
