"""Interactive sessions on real Ray: their lives, as clients see them. What statements do in them is in
test_statements.py, and what becomes of both when something dies in test_session_survival.py."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from session_server import FAILING, LIMIT, WITHIN, glue, request, server, session  # noqa: F401, fixtures among them
from server import await_that
from wire import call


@pytest.fixture
def failed(server, name):
    """A session that has failed and left nothing; it is deleted after the test."""
    server.glue.create_session(**request(name, **FAILING))
    server.until(name, "FAILED")
    yield name
    server.delete(name)


def test_what_a_new_session_is(server, glue, name):
    """All that the kernel indexes is there from the start, defaults for what it does not send included."""
    asked = request(name, Description="a description")
    del asked["NumberOfWorkers"], asked["IdleTimeout"]
    got = glue.create_session(**asked)["Session"]
    glue.stop_session(Id=name)
    assert got["Status"] == "PROVISIONING"
    assert {k: got[k] for k in ("Id", "Role", "Command", "GlueVersion", "DefaultArguments", "Description")} == \
           {k: asked[k] for k in ("Id", "Role", "Command", "GlueVersion", "DefaultArguments", "Description")}
    assert (got["WorkerType"], got["NumberOfWorkers"], got["MaxCapacity"], got["IdleTimeout"]) == ("Z.2X", 1, 2.0, 1)
    assert "CreatedOn" in got and not {"CompletedOn", "ExecutionTime", "DPUSeconds", "ErrorMessage"} & set(got)
    server.delete(name)


@pytest.mark.parametrize("members, text", [
    ({"Command": {"Name": "glueetl"}}, '"glueetl" is not supported'),
    ({"WorkerType": "G.1X"}, "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs."),
    ({"WorkerType": "Z.2X", "MaxCapacity": 2.0}, "Please do not set Max Capacity if using Worker Type and Number of Workers"),
    ({"NumberOfWorkers": 0}, "NumberOfWorkers must be between"),
    ({"Timeout": 10081}, "Timeout must be at most 10080 minutes"),
    ({"GlueVersion": "3.0"}, "GlueVersion 3.0 has no Ray"),
    ({"DefaultArguments": {"--runtime": "Ray1"}}, "Runtime Ray1 is not supported"),
])
def test_texts_of_create_session(glue, name, refused, members, text):
    assert text in refused("InvalidInputException", glue.create_session, **request(name, **members))


@pytest.mark.parametrize("member, value", [
    ("Id", ""), ("Id", "a\nb"), ("Id", "x" * 256), ("IdleTimeout", 0), ("Timeout", -1), ("Role", "role/any"),
    ("WorkerType", "Z.9X"), ("RequestOrigin", "two words"), ("Tags", {str(i): "" for i in range(51)}),
])
def test_constraints_of_the_model(server, name, member, value):
    """Some of them boto3 itself refuses."""
    answer = call(server, "CreateSession", request(name) | {member: value})
    assert (answer.status, answer.code) == (400, "ValidationException")
    assert f"at '{member[0].lower()}{member[1:]}' failed to satisfy constraint" in answer.message


def test_unknown_sessions(glue, refused):
    for operation in (glue.stop_session, glue.delete_session):  # which have no word for it in the model
        assert refused("InvalidInputException", operation, Id="there is none") == "Session there is none not found."
    assert refused("EntityNotFoundException", glue.get_session, Id="there is none") == "Session there is none not found."


def test_create_is_idempotent(server, glue, name, refused):
    """A client that lost the answer asks again; another client's session is not taken for one's own."""
    first = glue.create_session(**request(name))["Session"]
    with ThreadPoolExecutor(8) as pool:
        again = [s["Session"] for s in pool.map(lambda _: glue.create_session(**request(name)), range(16))]
    assert {s["CreatedOn"] for s in again} == {first["CreatedOn"]} and server.sessions().count(name) == 1
    text = refused("IdempotentParameterMismatchException", glue.create_session, **request(name, IdleTimeout=61))
    assert name in text
    glue.stop_session(Id=name)
    server.until(name, "STOPPED")
    assert "STOPPED" in refused("AlreadyExistsException", glue.create_session, **request(name, IdleTimeout=61))
    # The kernel asks for the same again when its session has died.
    assert glue.create_session(**request(name))["Session"]["Status"] == "PROVISIONING"
    glue.stop_session(Id=name)
    server.until(name, "STOPPED")
    server.delete(name)
    assert name not in server.sessions()


def test_the_same_id_at_the_same_time(server, glue, name):
    """Of two different requests one gets the session."""
    def create(minutes):
        try:
            return glue.create_session(**request(name, IdleTimeout=minutes, **FAILING))["Session"]["IdleTimeout"]
        except (glue.exceptions.IdempotentParameterMismatchException, glue.exceptions.AlreadyExistsException):
            return None

    with ThreadPoolExecutor(8) as pool:
        [winner] = [m for m in pool.map(create, range(50, 58)) if m]
    assert server.session(name)["IdleTimeout"] == winner
    server.delete(name)


def test_no_more_than_the_limit(server, glue, name, refused):
    open_sessions = [s for s in server.sessions() if "CompletedOn" not in server.session(s)]
    mine = [f"{name}-{i}" for i in range(LIMIT - len(open_sessions))]
    for s in mine:
        glue.create_session(**request(s))
    text = refused("ResourceNumberLimitExceededException", glue.create_session, **request("one more"))
    assert f"{LIMIT} sessions are open" in text
    assert glue.create_session(**request(mine[0]))["Session"]["Id"] == mine[0], "which is there already"
    for s in mine:
        glue.stop_session(Id=s)
    for s in mine:
        server.delete(s)


def test_stopped_while_it_starts(server, glue, name, refused):
    glue.create_session(**request(name))
    assert "PROVISIONING" in refused("IllegalSessionStateException", glue.delete_session, Id=name)
    assert glue.stop_session(Id=name)["Id"] == name
    assert server.session(name)["Status"] in ("STOPPING", "STOPPED")
    assert glue.stop_session(Id=name)["Id"] == name, "again"
    got = server.until(name, "STOPPED")
    assert got["DPUSeconds"] == got["ExecutionTime"] * got["MaxCapacity"]
    assert glue.delete_session(Id=name)["Id"] == name, "a session that says that it has stopped can be deleted"
    refused("EntityNotFoundException", glue.get_session, Id=name)


def test_a_session_that_cannot_start(server, glue, failed):
    got = server.session(failed)
    assert "no-such-bucket" in got["ErrorMessage"] and "CompletedOn" in got, got
    assert (got["ExecutionTime"], got["DPUSeconds"]) == (0, 0)
    assert glue.stop_session(Id=failed)["Id"] == failed
    assert server.session(failed)["Status"] == "FAILED", "stopping what has ended changes nothing"


def test_delete_while_it_runs(glue, session, refused):
    assert "READY" in refused("IllegalSessionStateException", glue.delete_session, Id=session)


def test_what_a_session_costs(server, glue, name):
    server.open(name, NumberOfWorkers=2)
    server.run(name, "import time; time.sleep(0.2)")
    glue.stop_session(Id=name)
    got = server.until(name, "STOPPED")
    assert got["MaxCapacity"] == 4 and got["ExecutionTime"] >= 0.2
    assert got["ExecutionTime"] <= (got["CompletedOn"] - got["CreatedOn"]).total_seconds()
    assert got["DPUSeconds"] == pytest.approx(4 * got["ExecutionTime"])
    server.delete(name)


def test_an_idle_session_times_out(server, glue, name, refused):
    """The kernel then starts a new one, which it does for this state and this error only."""
    asked = request(name)
    del asked["IdleTimeout"]
    glue.create_session(**asked)
    got = server.until(name, "TIMEOUT")
    assert "idle" in got["ErrorMessage"]
    text = refused("InvalidInputException", glue.run_statement, SessionId=name, Code="1")
    assert text == f"Session is not ready, session_id={name}, status=TIMEOUT"
    server.delete(name)


@pytest.mark.parametrize("odd", ["a/b c:d//", "ключ ☃ 😀", "'\"`$(x)\\%2F\t#?&", "..", "x" * 255])
def test_ids_of_any_characters(server, glue, odd):
    arn = f"arn:aws:glue:{server.ready['region']}:000000000000:session/{odd}"
    server.glue.create_session(**request(odd, Tags={"odd": "yes"}, **FAILING))
    assert server.session(odd)["Id"] == odd and odd in glue.list_sessions(Tags={"odd": "yes"})["Ids"]
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"a": "1"})
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"odd": "yes", "a": "1"}
    server.until(odd, "FAILED")
    server.delete(odd)


def test_an_odd_id_on_a_cluster(server):
    odd = "../a b/☃'\"$(x):"
    server.open(odd)
    assert server.run(odd, "print('as any other')")[1] == "as any other\n"
    server.delete(odd)


def test_tags(server, glue, failed, refused):
    arn = f"arn:aws:glue:us-east-1:000000000000:session/{failed}"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {}
    glue.tag_resource(ResourceArn=f"arn:aws:glue:us-east-1::session/{failed}", TagsToAdd={"a": "1", "b": "2"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["b", "never there"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1"}
    none = "arn:aws:glue:us-east-1:000000000000:session/there is none"
    refused("EntityNotFoundException", glue.get_tags, ResourceArn=none)
    refused("EntityNotFoundException", glue.tag_resource, ResourceArn=none, TagsToAdd={"a": "1"})
    refused("EntityNotFoundException", glue.untag_resource, ResourceArn=none, TagsToRemove=["a"])


def test_pages_of_sessions(server, glue, name, refused):
    made = [f"{name}-{i}" for i in range(7)]
    for i, s in enumerate(made):
        glue.create_session(**request(s, Tags={"suite": name, "number": str(i)}, **FAILING))
        server.until(s, "FAILED")
    for size in (1, 3, 1000):
        pages = server.pages(Tags={"suite": name}, MaxResults=size)
        assert [(i, s["Id"]) for p in pages for i, s in zip(p["Ids"], p["Sessions"])] == [(s, s) for s in reversed(made)]
    assert glue.list_sessions(Tags={"suite": name, "number": "3"})["Ids"] == [made[3]]
    first = glue.list_sessions(Tags={"suite": name}, MaxResults=3)
    for gone in (made[5], made[2]):  # one that was listed, one that would be
        server.delete(gone)
    rest = glue.list_sessions(Tags={"suite": name}, NextToken=first["NextToken"])
    assert rest["Ids"] == [made[3], made[1], made[0]]
    assert "token" in refused("InvalidInputException", glue.list_sessions, NextToken=first["NextToken"])
    for s in set(made) - {made[5], made[2]}:
        server.delete(s)


def test_get_session_waits_for_the_change(server, glue, name):
    """Sooner or later one call is made while the session starts and is answered when it is ready. A client that asks
    without a pause asks a few times: each call waits for up to a second."""
    glue.create_session(**request(name))
    calls = []

    def is_ready():
        calls.append(server.session(name)["Status"])
        return calls[-1] == "READY"

    await_that("the session was ready", is_ready, WITHIN, every=0)
    assert calls == ["PROVISIONING"] * (len(calls) - 1) + ["READY"]
    assert len(calls) <= WITHIN, "each call that says PROVISIONING has waited"
    server.delete(name)
