"""A server for the tests of sessions, one for each file of them since sessions are limited in number; its fixtures, which
such a file imports; and what the tests do with it again and again."""

import signal
import threading

import pytest
from server import Server, await_that

WITHIN = 600  # seconds for whatever a cluster has to do; about 10 are usual
LIMIT = 4

# Sessions that do not say otherwise are over soon, for the test of that: requests can say minutes only.
CONFIG = f"""
[sessions]
limit = {LIMIT}
idle_timeout = "3s"
"""


def request(session, **members):
    """What the Jupyter kernel sends, with one worker and an idle timeout that no test reaches."""
    return {"Id": session, "Role": "arn:aws:iam::000000000000:role/any", "GlueVersion": "4.0",
            "Command": {"Name": "glueray", "PythonVersion": "3.9"}, "RequestOrigin": "compat",
            "DefaultArguments": {"--glue_kernel_version": "1.0.5", "--enable-glue-datacatalog": "true"},
            "NumberOfWorkers": 1, "IdleTimeout": 60, **members}


# A session that fails before it has a cluster.
FAILING = {"DefaultArguments": {"--s3-py-modules": "s3://no-such-bucket/modules.zip"}}


class SessionServer(Server):
    def __init__(self):
        super().__init__(CONFIG)

    @property
    def glue(self):
        """A client, made anew after a restart, since the port may be another one."""
        if getattr(self, "_client", (None, None))[0] != self.endpoint:
            self._client = self.endpoint, self.client("glue")
        return self._client[1]

    def session(self, session):
        return self.glue.get_session(Id=session)["Session"]

    def until(self, session, *states):
        """The session, once it is in one of the states."""

        def is_there():
            got = self.session(session)
            ended = "CompletedOn" in got and got["Status"] not in states
            assert not ended, f"session {session} did not become {states}: {got}\n{self.words()}"
            return got if got["Status"] in states else None

        return await_that(f"session {session} was one of {states}", is_there, WITHIN)

    def open(self, session, **members):
        """Makes a session and returns it when it is ready."""
        self.glue.create_session(**request(session, **members))
        return self.until(session, "READY")

    def statement(self, session, number):
        return self.glue.get_statement(SessionId=session, Id=number)["Statement"]

    def submit(self, session, code):
        """Starts a statement and returns its number."""
        return self.glue.run_statement(SessionId=session, Code=code)["Id"]

    def ended(self, session, number):
        def statement_if_ended():
            got = self.statement(session, number)
            return got if "CompletedOn" in got else None

        return await_that(f"statement {number} of {session} ended", statement_if_ended, WITHIN)

    def run(self, session, code):
        """A statement that has ended, and what it has printed."""
        got = self.ended(session, self.submit(session, code))
        return got, got["Output"]["Data"]["TextPlain"]

    def delete(self, session):
        """Stops a session and deletes it as soon as it can be."""
        self.glue.stop_session(Id=session)

        def is_deleted():
            try:
                return self.glue.delete_session(Id=session)
            except self.glue.exceptions.IllegalSessionStateException:
                return None

        await_that(f"session {session} could be deleted after it was stopped", is_deleted, WITHIN)

    def pages(self, **members):
        """The pages of list_sessions, for which boto3 has no paginator."""
        while True:
            page = self.glue.list_sessions(**members)
            yield page
            if "NextToken" not in page:
                return
            members["NextToken"] = page["NextToken"]

    def sessions(self):
        return [i for p in self.pages() for i in p["Ids"]]

    def stop_runs(self):
        super().stop_runs()
        sessions = self.sessions()
        for s in sessions:
            self.glue.stop_session(Id=s)
        for s in sessions:
            self.delete(s)

    def kill(self):
        """The end of a server that has no chance to say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        (self.base / "ready.json").unlink()


class Call(threading.Thread):
    """A call of an operation that goes on while the test does something else."""

    def __init__(self, operation, **arguments):
        super().__init__()
        self.operation, self.arguments, self.answer, self.error = operation, arguments, None, None
        self.start()

    def run(self):
        try:
            self.answer = self.operation(**self.arguments)
        except Exception as error:
            self.error = error

    def result(self):
        self.join(WITHIN)
        assert not self.is_alive(), f"within {WITHIN} s there was no answer to {self.arguments}"
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture(scope="module")
def server():
    s = SessionServer()
    try:
        s.start()
        yield s
    finally:
        s.close()


@pytest.fixture
def glue(server):
    return server.glue


@pytest.fixture(scope="module")
def session(server):
    """A session that is ready, and stays it."""
    server.open("notebook")
    return "notebook"


@pytest.fixture
def gate(server, name):
    """A file, and the code that waits until it is there."""
    path = server.base / "client" / f"{name}-gate"
    code = f"import os, time\nprint('waits', flush=True)\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)\nprint('goes on')"
    yield path, code
    path.touch()
