"""Sessions and their statements when something dies: the session, the interpreter, the server."""

import http.client
import time

from session_server import WITHIN, Call, gate, glue, request, server, session  # noqa: F401, fixtures among them
from server import await_that
from wire import call


def test_the_session_ends_under_a_statement(server, glue, name, gate):
    """What runs and what waits is over with the session, and can still be read."""
    server.open(name)
    running, waiting = server.submit(name, gate[1]), server.submit(name, "1")
    await_that("the statement ran", lambda: server.statement(name, running)["State"] == "RUNNING", WITHIN)
    poll = Call(glue.get_statement, SessionId=name, Id=running)
    glue.stop_session(Id=name)
    poll.result()
    server.until(name, "STOPPED")
    for number in (running, waiting):
        assert server.ended(name, number)["State"] in ("CANCELLED", "ERROR")
    server.delete(name)


def test_the_interpreter_dies(server, glue, name, refused):
    server.open(name)
    number = server.submit(name, "import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    got = server.ended(name, number)
    assert (got["State"], got["Output"]["Status"]) == ("ERROR", "error")
    assert got["Output"]["ErrorValue"] and {"ErrorName", "Traceback"} <= set(got["Output"])
    assert server.until(name, "FAILED")["ErrorMessage"]
    assert "status=FAILED" in refused("InvalidInputException", glue.run_statement, SessionId=name, Code="1")
    server.delete(name)


def test_the_server_dies(server, session, gate):
    """SIGKILL while a statement runs and another waits: both go on, the variables are there, and no statement runs twice."""
    path, code = gate
    token = server.glue.list_statements(SessionId=session).get("NextToken")
    server.run(session, "runs = []")
    running = server.submit(session, "runs.append(1)\n" + code)
    waiting = server.submit(session, "runs.append(2)")
    await_that("the statement ran", lambda: server.statement(session, running)["State"] == "RUNNING", WITHIN)
    before = server.session(session)
    server.kill()
    path.touch()
    server.start()
    assert server.session(session) == before
    assert server.ended(session, running)["Output"]["Data"]["TextPlain"] == "waits\ngoes on\n"
    assert server.ended(session, waiting)["State"] == "AVAILABLE"
    got, text = server.run(session, "runs")
    assert (text, got["Id"]) == ("[1, 2]", waiting + 1)
    if token:
        assert server.glue.list_statements(SessionId=session, NextToken=token)["Statements"]


def test_cancelled_as_soon_as_the_server_is_back(server, session, gate):
    """While it looks for the interpreter of the session."""
    number = server.submit(session, gate[1])
    await_that("the statement ran", lambda: server.statement(session, number)["State"] == "RUNNING", WITHIN)

    def cancel_at_once():
        while True:
            try:
                return call(server, "CancelStatement", {"SessionId": session, "Id": number})
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # it is not back yet

    server.kill()
    cancelling = Call(cancel_at_once)
    server.start()
    assert cancelling.result().status == 200, cancelling.answer
    assert server.ended(session, number)["State"] == "CANCELLED"
    assert server.run(session, "'still there'")[1] == "'still there'"


def test_the_server_dies_while_a_session_starts(server, name):
    server.glue.create_session(**request(name))
    server.kill()
    server.start()
    server.until(name, "READY")
    assert server.run(name, "1 + 1")[1] == "2"
    server.delete(name)


def test_the_server_is_away_while_a_session_is_asked_to_stop(server, name):
    """What was promised before the end is kept after it."""
    server.open(name)
    server.glue.stop_session(Id=name)
    server.kill()
    server.start()
    server.until(name, "STOPPED")
    server.delete(name)
