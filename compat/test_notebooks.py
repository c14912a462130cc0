"""AWS Glue's own kernel for Jupyter, from the package aws-glue-sessions and set up by hand as docs/NOTEBOOKS.md says,
against the server; the example notebooks, executed by nbclient; and `remora notebook --check`. Tests look at what the
reader of a notebook sees."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from notebooks import DRIVER, Kernel, Shown, pictures
from server import PROGRAM, await_that

ROOT = PROGRAM.parent.parent
PROFILE = """[default]
endpoint_url = {AWS_ENDPOINT_URL}
region = {AWS_DEFAULT_REGION}
glue_profile = default
glue_role_arn = arn:aws:iam::000000000000:role/Any
glue_job_type = glue_ray
"""
CREDENTIALS = """[default]
aws_access_key_id = {AWS_ACCESS_KEY_ID}
aws_secret_access_key = {AWS_SECRET_ACCESS_KEY}
"""
# Those that describe a session, in one cell.
MAGICS = """%glue_ray
%number_of_workers 1
%min_workers 1
%idle_timeout 30
%additional_python_modules matplotlib
%%configure
{"--runtime": "Ray2.60", "tags": {"team": "flights"}}
"""
SESSION = re.compile(r"Session ID: ([0-9a-f-]{36})")


@pytest.fixture(scope="module")
def python():
    """The Python of JupyterLab's environment."""
    done = subprocess.run([PROGRAM, "runtime", "build", "notebook"], check=True, text=True, stdout=subprocess.PIPE)
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def environment(server, python, glue):
    """A home of a user who has set the kernel up; sessions that are open at the end are stopped."""
    home = server.base / "client" / "notebooks"
    (home / ".aws").mkdir(parents=True, mode=0o700)
    for name, text in (("config", PROFILE), ("credentials", CREDENTIALS)):
        (home / ".aws" / name).write_text(text.format(**server.environment))
        (home / ".aws" / name).chmod(0o600)
    path = f"{python.parent}:{server.environment['PATH']}"
    # The kernel asks PyPI for its latest release before the first cell, without a deadline: it is refused at once.
    variables = {"HOME": str(home), "PATH": path, "TMPDIR": str(home), "HTTPS_PROXY": "http://127.0.0.1:1"}
    subprocess.run([python.parent / "install-glue-kernels"], env=variables, check=True, stdout=subprocess.DEVNULL)
    ours = home / ".local/share/jupyter/kernels/remora"
    ours.mkdir()
    argv = ["python", str(ROOT / "internal/notebook/kernel.py"), "-f", "{connection_file}"]
    spec = {"argv": argv, "language": "python", "display_name": "Glue Python (Remora)"}
    (ours / "kernel.json").write_text(json.dumps(spec))
    yield variables

    def gone():
        sessions = glue.list_sessions()["Sessions"]
        for session in sessions:
            glue.stop_session(Id=session["Id"])
            try:
                glue.delete_session(Id=session["Id"])  # refused while anything of its cluster is left
            except glue.exceptions.IllegalSessionStateException:
                pass
        return not sessions

    await_that("all sessions ended", gone, 240)


@pytest.fixture(scope="module")
def kernel(python, environment):
    k = Kernel("glue_pyspark", python, environment)
    yield k
    k.close()


@pytest.fixture(scope="module")
def magics(kernel):
    """What the magics that describe the session show; with it the session starts."""
    assert kernel.cell("%status").lines[-1] == "There is no current session."
    shown = kernel.cell(MAGICS)
    shown.started = kernel.cell("x = 1\nx + 1", reply=True)
    shown.session = SESSION.search(shown.started.text)[1]
    return shown


def test_magics_describe_the_session(magics):
    for line in ("Setting new session type to glueray", "Setting new number of workers to: 1",
                 "Setting new minimum workers: 1", "idle_timeout has been set to 30 minutes.", "matplotlib"):
        assert line in magics.lines
    assert "configurations have been updated: {'--runtime': 'Ray2.60', 'tags': {'team': 'flights'}}" in magics.text


def test_first_cell_starts_the_session(magics):
    started = magics.started
    assert f"Session {magics.session} has been created." in started.lines
    for line in ("Number of Workers: 1", "Idle Timeout: 30", "--auto-scaling-ray-min-workers 1", "--runtime Ray2.60"):
        assert line in started.lines
    assert started.lines[-1] == "2" and started.reply["status"] == "ok"
    print(f"from the first cell to its answer: {started.seconds:.1f} s")


def test_status_and_list(kernel, magics):
    status = kernel.cell("%status").lines
    for line in (f"Session ID: {magics.session}", "Status: READY", "Session Type: glueray", "Idle Timeout: 30",
                 "Number of Workers: 1", "Worker Type: Z.2X", "Region: us-east-1"):
        assert line in status
    tags = next(line for line in status if line.startswith("Tags: "))
    assert "'team': 'flights'" in tags and "'owner': '000000000000'" in tags
    assert re.search(rf"\| {magics.session} \| READY ", kernel.cell("%list_sessions").text)


def test_cells(kernel, magics):
    took = min(kernel.cell("1 + 1").seconds for _ in range(5))
    print(f"1 + 1 in the kernel: {1000 * took:.0f} ms")
    shown = kernel.cell("import ray, sys\nprint('to stderr', file=sys.stderr)\nray.get(ray.put(x)), ray.__version__")
    # Between them Ray says where it connects to.
    assert shown.lines[0] == "to stderr" and shown.lines[-1] == "(1, '2.60.0')"


def test_long_cell(kernel, magics):
    shown = kernel.cell("import time\nfor i in range(4):\n    print('step', i)\n    time.sleep(1)")
    assert shown.lines == [f"step {i}" for i in range(4)] and shown.seconds > 4


def test_picture(kernel, magics):
    shown = kernel.cell("import matplotlib.pyplot as plt\nprint('drawn')\nplt.plot([1, 4, 2])\nplt.show()")
    assert pictures(shown) == ["image/png"] and "drawn" in shown.lines
    assert base64.b64decode(shown.outputs[-1]["data"]["image/png"]).startswith(b"\x89PNG")


def test_error(kernel, magics):
    """What the cell had printed, and the traceback without anything of the service's."""
    shown = kernel.cell("print('before')\n\ndef divide(a):\n    return a / 0\n\ndivide(1)", reply=True)
    name = re.search('"(<cell [0-9]+>)"', shown.text)[1]
    assert shown.text == CLEAN.format(name) and shown.reply["status"] == "error"


CLEAN = """before
Traceback (most recent call last):
  File "{0}", line 6, in <module>
    divide(1)
  File "{0}", line 4, in divide
    return a / 0
           ~~^~~
ZeroDivisionError: division by zero
"""


@pytest.mark.parametrize("code", [
    "kept = 7\nimport time\n{0}\ntime.sleep(600)",
    "kept = 7\nimport ray, time\nslow = ray.remote(lambda: time.sleep(600)).remote()\n{0}\nray.get(slow)",
], ids=["sleep", "ray.get"])
def test_interrupt(kernel, magics, folder, code):
    """After some seconds: the original kernel cannot cancel a statement before it has read its number."""
    runs = str(folder / "runs")
    code = code.replace("{0}", f"import pathlib, threading; threading.Timer(5, pathlib.Path('{runs}').touch).start()")
    shown = kernel.cell(code, interrupt=runs)
    assert shown.lines[0].startswith("Execution Interrupted. Attempting to cancel the statement")
    after = kernel.cell("kept, x")
    assert after.lines == ["(7, 1)"] and after.seconds < 300


def test_kernel_of_remora_notebook(python, environment, magics, folder):
    """It shows pictures as the other does, those of cells that fail too, with lines counted from the cell's first; it
    answers to a cell that is interrupted, and shows what that had printed."""
    k = Kernel("remora", python, environment)
    try:
        assert f"Switched to Session: {magics.session}." in k.cell(f"%reconnect {magics.session}").lines
        shown = k.cell("import matplotlib.pyplot as plt\nplt.plot([1, 4, 2])\nplt.show()")
        assert pictures(shown) == ["image/png"]
        shown = k.cell("# A comment.\n\n%status\nplt.plot([1, 4, 2])\n1 / 0", reply=True)
        assert pictures(shown) == ["image/png"] and shown.reply["status"] == "error"
        assert '", line 5, in <module>\n    1 / 0\n' in shown.text
        assert k.cell("# A comment.\nlen('a\u2028b')").lines == ["3"]
        runs = str(folder / "runs")
        shown = k.cell("print('asleep')\nimport pathlib, time\n"
                       f"pathlib.Path('{runs}').touch(); time.sleep(600)", interrupt=runs, reply=True)
        assert "asleep" in shown.lines and shown.outputs[-1]["ename"] == "KeyboardInterrupt"
        assert "time.sleep(600)" in "".join(shown.outputs[-1]["traceback"]) and shown.reply["status"] == "error"
        assert k.cell("x").lines == ["1"]
        k.ask("kill")  # a kernel that is shut down stops its session, which is the others'
    finally:
        k.close()


def await_stopped(glue, session):
    await_that(f"session {session} stopped",
               lambda: glue.get_session(Id=session)["Session"]["Status"] == "STOPPED", 240)


def known(glue):
    return {session["Id"] for session in glue.list_sessions(MaxResults=1000)["Sessions"]}


def test_ends_of_sessions_in_the_kernel_of_remora_notebook(python, environment, glue, folder):
    """A restart with cells in the queue leaves no session behind; where Python dies the cell is an error, with what it
    had printed and why, and the next one has a session."""
    k = Kernel("remora", python, environment)
    try:
        first = SESSION.search(k.cell(MAGICS).text + k.cell("1").text)[1]
        before = known(glue)
        runs = str(folder / "runs")
        long = f"import pathlib, time\npathlib.Path('{runs}').touch()\ntime.sleep(600)"
        k.ask("queue", codes=[long, "2", "3"], after=runs)
        k.ask("restart")
        await_stopped(glue, first)
        assert known(glue) == before

        k.cell(MAGICS)
        second = SESSION.search(k.cell("1").text)[1]
        shown = k.cell("import os\nprint('last words')\nos._exit(3)", reply=True)
        assert shown.reply["status"] == shown.outputs[-1]["output_type"] == "error"
        assert shown.reply["ename"] == "InterpreterDied" and "exited with status 3" in shown.reply["evalue"]
        assert "last words" in shown.lines and "{" not in shown.text.partition("last words")[2]
        await_that(f"session {second} failed",
                   lambda: glue.get_session(Id=second)["Session"]["Status"] == "FAILED", 240)
        assert k.cell("6 * 7").lines[-1] == "42"
    finally:
        k.close()


def test_restart_and_stop(kernel, magics, glue):
    kernel.ask("restart")
    await_stopped(glue, magics.session)
    shown = kernel.cell("x")
    fresh = SESSION.search(shown.text)[1]
    assert fresh != magics.session and shown.lines[-1] == "NameError: name 'x' is not defined"
    listed = kernel.cell("%list_sessions").text
    assert re.search(rf"\| {fresh} \| READY ", listed) and re.search(rf"\| {magics.session} \| STOPPED ", listed)
    assert kernel.cell("%stop_session").lines[-1] == "Stopped session."
    assert kernel.cell("%status").lines[-1] == "There is no current session."
    await_stopped(glue, fresh)


def execute(python, environment, name, bucket, folder):
    """Executes an example with another bucket; returns what its code cells show."""
    source = (ROOT / "examples" / name).read_text()
    notebook = json.loads(source)
    assert not any(c.get("outputs") or c.get("execution_count") for c in notebook["cells"]), "strip the outputs"
    path = folder / name
    path.write_text(source.replace("s3://work/", f"s3://{bucket}/"))
    done = subprocess.run([python, "-B", DRIVER, "execute", path], env=environment, text=True, stdout=subprocess.PIPE,
                          timeout=600)
    assert done.returncode == 0
    return [Shown(c["outputs"], None) for c in json.loads(done.stdout)["cells"] if c["cell_type"] == "code"]


def ray_python(*arguments, **options):
    """Runs a script on the Python of a job's runtime."""
    done = subprocess.run([PROGRAM, "runtime", "build", "Ray2.60"], check=True, text=True, stdout=subprocess.PIPE)
    command = [done.stdout.strip(), "-B", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def test_flights(server, s3, python, environment, folder):
    s3.create_bucket(Bucket="notebook-flights")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # the package of the data is there
    ray_python(ROOT / "examples" / "example_data.py", "notebook-flights",
               env={**server.environment, "REMORA_DEMO_PYTHON": sys.executable, "XDG_CACHE_HOME": cache})
    cells = execute(python, environment, "flights.ipynb", "notebook-flights", folder)
    assert cells[1].lines[-1].startswith("Ray 2.60.0: 3 nodes, ")
    assert "326,028 flights were in the air for more than half an hour" in cells[2].text
    assert pictures(cells[2]) == ["text/html"] and pictures(cells[3]) == ["image/png"]  # a table, and the plot
    assert cells[-1].lines[-1] == "Stopped session."


def test_reviews_walkthrough(s3, python, environment, folder):
    s3.create_bucket(Bucket="notebook-reviews")
    ray_python(ROOT / "examples" / "reviews_data.py", "--rows", 4000, "--out", folder / "reviews")
    for file in sorted((folder / "reviews").rglob("*.parquet")):
        s3.upload_file(str(file), "notebook-reviews", str(file.relative_to(folder)))
    cells = execute(python, environment, "reviews_walkthrough.ipynb", "notebook-reviews", folder)
    assert "rows:  4000" in cells[2].lines
    assert [line.split()[0] for line in cells[-2].lines[-5:]] == ["verdict", "disputed", "useful", "useless", "Name:"]
    assert cells[-1].lines[-1] == "Stopped session."
    assert s3.list_objects_v2(Bucket="notebook-reviews", Prefix="walkthrough/parquet/")["KeyCount"] > 0


def test_check(server, glue, folder):
    """On the running server, in a home that stays empty; no key of the server is in an argument or a word of it. What a
    `remora notebook` that was killed has left is cleared up: its folder, and the session of one of its kernels."""
    home, run = folder / "home", server.base / "run"
    home.mkdir()
    killed = run / "remora-notebook-killed"
    killed.mkdir()
    (killed / "lock").touch()
    glue.create_session(Id="abandoned", Role="arn:aws:iam::000000000000:role/any", NumberOfWorkers=1,
                        Command={"Name": "glueray", "PythonVersion": "3.9"}, Tags={"remora-notebook": killed.name})
    own = {**server._own_environment(), "HOME": str(home)}
    command = [PROGRAM, "--config", server.config, "--data-dir", server.data, "notebook", "--check"]
    done = subprocess.run(command, env=own, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        "ok    starts a session", "ok    runs a cell", "ok    runs Ray tasks", "ok    stops the session"]
    assert not any(key in done.stdout + done.stderr for key in server.keys)
    assert list(home.iterdir()) == [] and list(run.glob("remora-notebook-*")) == []
    await_stopped(glue, "abandoned")
