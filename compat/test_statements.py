"""Statements of interactive sessions on real Ray, as clients see them. One session serves most of them, as a notebook's
does; none relies on what another has left in it."""

import http.client
from urllib.parse import urlsplit

from session_server import FAILING, WITHIN, gate, glue, request, server, session  # noqa: F401, fixtures among them
from server import await_that
from wire import call, signed

UNAVAILABLE = "unavailable, fail to call ReplServer."


def test_a_statement(server, session):
    before, _ = server.run(session, "x = 20")
    got, text = server.run(session, "print('hello')\nx + 22")
    assert (got["State"], got["Progress"], got["Id"]) == ("AVAILABLE", 1, before["Id"] + 1)
    assert got["Code"] == "print('hello')\nx + 22"
    output = got["Output"]
    assert (output["Status"], output["ExecutionCount"]) == ("ok", got["Id"])
    assert output["Data"] == {"TextPlain": text} and text == "hello\n42"
    assert not {"ErrorName", "ErrorValue", "Traceback"} & set(output)
    assert 1_500_000_000_000 < got["StartedOn"] <= got["CompletedOn"], "milliseconds"


def test_a_statement_without_output(server, session):
    got, text = server.run(session, "y = 1")
    assert got["Output"]["Status"] == "ok" and text == ""


def test_ray_is_there(server, session):
    assert server.run(session, """
import ray

@ray.remote
def square(x):
    return x * x

sum(ray.get([square.remote(i) for i in range(10)]))""")[1].strip().endswith("285")


def test_a_python_error(server, session):
    """State ERROR would make the kernel print a raw dictionary."""
    got, _ = server.run(session, "print('before')\n{}['missing']")
    output = got["Output"]
    assert (got["State"], output["Status"]) == ("AVAILABLE", "error")
    assert (output["ErrorName"], output["ErrorValue"]) == ("KeyError", "'missing'")
    assert any("missing" in line for line in output["Traceback"])
    assert output["Data"]["TextPlain"] == "before\n"
    assert server.run(session, "'still there'")[1] == "'still there'"


def test_code_that_is_no_python(server, session):
    output = server.run(session, "this is no python")[0]["Output"]
    assert (output["Status"], output["ErrorName"]) == ("error", "SyntaxError")


def test_a_picture(server, session):
    """The published model has no members for it, the one that the kernel brings along has."""
    got, text = server.run(session, """
class Picture:
    def _repr_png_(self):
        return b"\\x89PNG\\r\\n"

print("beside it")
Picture()""")
    assert got["Output"]["Status"] == "ok"
    assert text.startswith("beside it\n<__main__.Picture object at "), "what clients without these members see"
    answer = call(server, "GetStatement", {"SessionId": session, "Id": got["Id"]})
    assert answer.json()["Statement"]["Output"]["Data"] == {
        "TextPlain": text, "MimeType": "image/png", "Result": "iVBORw0K", "StdOut": "beside it\n", "StdErr": ""}


def test_the_length_of_code(server, glue, session, refused):
    longest = "#" + "ä" * 67_999
    assert server.run(session, longest)[0]["Output"]["Status"] == "ok"
    text = refused("ValidationException", glue.run_statement, SessionId=session, Code=longest + "x")
    assert "at 'code' failed to satisfy constraint: Member must have length less than or equal to 68000" in text


def test_unknown_statements(glue, session, refused):
    for number in (0, -1, 1_000_000):
        for operation in (glue.get_statement, glue.cancel_statement):
            text = refused("EntityNotFoundException", operation, SessionId=session, Id=number)
            assert text == f"Statement {number} of session {session} not found."


def test_statements_of_unknown_sessions(glue, refused):
    for operation, more in [(glue.run_statement, {"Code": "1"}), (glue.get_statement, {"Id": 1}), (glue.list_statements, {}),
                            (glue.cancel_statement, {"Id": 1})]:
        text = refused("EntityNotFoundException", operation, SessionId="there is none", **more)
        assert text == "Session there is none not found."


def test_a_session_that_is_not_ready(server, glue, name, refused):
    """Provisioning, stopping, stopped; test_sessions.py has one that timed out."""
    def run(*states):
        text = refused("InvalidInputException", glue.run_statement, SessionId=name, Code="1")
        assert text in [f"Session is not ready, session_id={name}, status={s}" for s in states]

    glue.create_session(**request(name))
    run("PROVISIONING")
    for operation, more in [(glue.get_statement, {"Id": 1}), (glue.list_statements, {}), (glue.cancel_statement, {"Id": 1})]:
        assert UNAVAILABLE in refused("IllegalSessionStateException", operation, SessionId=name, **more)
    server.until(name, "READY")
    glue.stop_session(Id=name)
    run("STOPPING", "STOPPED")
    server.until(name, "STOPPED")
    run("STOPPED")
    assert glue.list_statements(SessionId=name)["Statements"] == []
    server.delete(name)


def test_a_session_that_has_failed(server, glue, name, refused):
    glue.create_session(**request(name, **FAILING))
    server.until(name, "FAILED")
    text = refused("InvalidInputException", glue.run_statement, SessionId=name, Code="1")
    assert text == f"Session is not ready, session_id={name}, status=FAILED"
    server.delete(name)


def test_two_clients_on_one_session(server, session, gate):
    """They share the variables, and their statements run one after the other, in the order of their ids."""
    path, code = gate
    one, two = server.client("glue"), server.client("glue")
    first = one.run_statement(SessionId=session, Code=code + "\nshared = ['one']")["Id"]
    second = two.run_statement(SessionId=session, Code="shared + ['two']")["Id"]
    assert second == first + 1
    assert two.get_statement(SessionId=session, Id=second)["Statement"]["State"] == "WAITING"
    path.touch()
    assert server.ended(session, second)["Output"]["Data"]["TextPlain"] == "['one', 'two']"
    assert one.get_statement(SessionId=session, Id=second) | {"ResponseMetadata": None} == \
           two.get_statement(SessionId=session, Id=second) | {"ResponseMetadata": None}


def test_output_grows_while_it_runs(server, session, gate):
    path, code = gate
    number = server.submit(session, code)

    def printed():
        got = server.statement(session, number)
        return got.get("Output", {}).get("Data", {}).get("TextPlain", "").endswith("\n") and got

    got = await_that("a running statement's output was there", printed, WITHIN)
    assert got["State"] == "RUNNING" and got["Output"] == {"Data": {"TextPlain": "waits\n"}}
    path.touch()
    assert server.ended(session, number)["Output"]["Data"]["TextPlain"] == "waits\ngoes on\n"


def test_cancel_what_runs_and_what_waits(server, glue, session, gate):
    path, code = gate
    running, waiting, after = [server.submit(session, c) for c in (code, "never = True", "'never' in globals()")]
    await_that("the first statement ran", lambda: server.statement(session, running)["State"] == "RUNNING", WITHIN)
    for number in (waiting, running, running):
        glue.cancel_statement(SessionId=session, Id=number)
    got = [server.ended(session, n) for n in (running, waiting, after)]
    assert [s["State"] for s in got] == ["CANCELLED", "CANCELLED", "AVAILABLE"]
    assert "StartedOn" not in got[1], "it has never run"
    assert got[2]["Output"]["Data"]["TextPlain"] == "False"
    for s in got[:2]:  # all that the kernel indexes
        assert s["Output"]["Status"] == "error" and {"ErrorName", "ErrorValue", "Traceback"} <= set(s["Output"])


def test_cancel_what_has_ended(server, glue, session):
    got, _ = server.run(session, "1")
    glue.cancel_statement(SessionId=session, Id=got["Id"])
    assert server.statement(session, got["Id"]) == got


def test_pages_of_statements(server, glue, session, refused):
    for _ in range(101):
        last = server.submit(session, "1")
    server.ended(session, last)
    first = glue.list_statements(SessionId=session)
    assert [s["Id"] for s in first["Statements"]] == list(range(1, 101))
    numbers, page = [], first
    while "NextToken" in page:
        page = glue.list_statements(SessionId=session, NextToken=page["NextToken"])
        numbers += [s["Id"] for s in page["Statements"]]
    assert numbers == list(range(101, last + 1))
    assert page["Statements"][-1] == server.statement(session, last)
    assert "token" in refused("InvalidInputException", glue.list_statements, SessionId=session, NextToken="made up")


def test_get_statement_waits_for_the_end(server, session, gate):
    """A call is answered when its statement ends, without a further question; and without an end in a second or so."""
    path, code = gate
    endless = server.submit(session, code)
    assert server.statement(session, endless)["State"] in ("WAITING", "RUNNING"), "it does not wait for ever"
    path.touch()
    server.ended(session, endless)

    def answered_at_once():
        return server.statement(session, server.submit(session, "import time; time.sleep(0.3)"))["State"] == "AVAILABLE"

    await_that("a statement's first answer was that it had ended", answered_at_once, WITHIN)


def test_a_client_that_goes_away(server, glue, session, gate):
    """One that waits for a statement, and one that does not even wait for its number."""
    path, code = gate
    address = urlsplit(server.endpoint)

    def send_and_go(operation, body):
        headers, body = signed(server, operation, body)
        connection = http.client.HTTPConnection(address.hostname, address.port)
        connection.request("POST", "/", body=body, headers=headers)
        connection.close()

    number = server.submit(session, code)
    for _ in range(20):
        send_and_go("GetStatement", {"SessionId": session, "Id": number})
    path.touch()
    assert server.ended(session, number)["Output"]["Data"]["TextPlain"] == "waits\ngoes on\n"
    send_and_go("RunStatement", {"SessionId": session, "Code": "'of one who has gone'"})
    last = await_that("the statement of one who has gone was accepted",
                      lambda: next((s for s in reversed(statements(glue, session)) if "gone" in s["Code"]), None), WITHIN)
    assert server.ended(session, last["Id"])["Output"]["Data"]["TextPlain"] == "'of one who has gone'"


def statements(glue, session):
    found, more = [], {}
    while more is not None:
        page = glue.list_statements(SessionId=session, **more)
        found += page["Statements"]
        more = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    return found
