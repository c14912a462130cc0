"""Sessions on a real Ray cluster."""

import pytest
from test_session_host import Host


@pytest.fixture(scope="module")
def address(cluster):
    return cluster.get_runtime_context().gcs_address


@pytest.fixture
def host(address):
    with Host(RAY_ADDRESS=address) as host:
        yield host


def test_ray_connects_by_itself_to_the_sessions_cluster(host, address):
    host.do("import ray\nfactor = 3\n@ray.remote\ndef f(x):\n    return x * factor")
    assert host.run("ray.get([f.remote(i) for i in range(3)])").plain == "[0, 3, 6]"
    assert host.run("ray.get_runtime_context().gcs_address").plain == repr(address)
    host.do("factor = 4\n@ray.remote\nclass A:\n    def get(self): return factor\na = A.remote()")
    assert host.run("ray.get(a.get.remote())").plain == "4"
    assert host.run("await a.get.remote()").plain == "4"


def test_init_is_the_users_to_call(host):
    data = host.run("import ray\nray.init()").data
    assert "Ray" in data["text/html"] and "RayContext" in data["text/plain"]


def test_modules_of_the_working_directory_reach_workers(address, tmp_path):
    (tmp_path / "shared.py").write_text("def f(): return 'from the module'")
    with Host(cwd=tmp_path, RAY_ADDRESS=address) as host:
        assert host.run("import ray, shared\nray.get(ray.remote(shared.f).remote())").plain == "'from the module'"


@pytest.mark.parametrize(
    "wait",
    [
        "ray.get(never.remote())",
        "ray.wait([never.remote()])",
        "await never.remote()",
        "ray.data.range(4).map_batches(slow, batch_size=1).materialize()",
        "for row in ray.data.range(4).map_batches(slow, batch_size=1).iter_rows(): pass",
    ],
)
def test_interrupts_what_waits_for_ray(host, wait):
    host.do(
        "import ray, time\nkept = 5\n@ray.remote(num_cpus=0)\ndef never():\n    time.sleep(1000)\n"
        "def slow(batch):\n    time.sleep(1000)\n    return batch\n"
        # What takes time and reacts to an interrupt in ways of its own.
        "_ = ray.init(), ray.data.range(4).map_batches(lambda batch: batch).take_all()"
    )
    host.start(f"print('started')\n{wait}")
    host.until("started\n")
    host.interrupt(insist=True)
    result = host.result()
    assert (result.status, result.ename) == ("cancelled", "KeyboardInterrupt")
    assert host.run("kept").plain == "5"
    assert host.run("ray.get(ray.put(6))").plain == "6"


def test_an_error_in_a_task_shows_the_cells_lines(host):
    host.do("import ray\n@ray.remote\ndef f(x):\n    return 1 / x  # here")
    result = host.run("ray.get(f.remote(0))")
    assert result.ename == "RayTaskError(ZeroDivisionError)"
    text = result.traceback
    assert text.index('File "<cell 1>", line 1') < text.index('File "<cell 0>", line 4, in f')
    assert "return 1 / x  # here" in text
    assert "\x1b" not in text + result.evalue
    assert "client_mode_hook" not in text and "auto_init_hook" not in text
    assert result.done["traceback"][-1] == "ZeroDivisionError: division by zero"


def test_output_of_workers_arrives(host):
    host.do("import ray\n@ray.remote\ndef f():\n    print('from a worker')")
    host.start("import threading\nray.get(f.remote())\nthreading.Event().wait()")
    assert "from a worker" in host.until("from a worker")
    host.interrupt()
    host.result()


def test_progress_of_ray_data_is_text(host):
    host.do("import os\nos.environ['RAY_COLOR_PREFIX'] = '0'\nimport ray")  # of what other processes print
    result = host.run("ray.data.range(100).map(lambda row: row).materialize().count()")
    assert result.plain == "100"
    text = result.err + result.out
    assert "Progress" in text
    assert "\r" not in text and "\x1b[" not in text


def test_a_dataset_is_shown(host):
    host.do("import ray")
    result = host.run("ray.data.from_items([{'a': 1}])")
    assert "a" in result.plain and "int64" in result.plain
    assert result.err.count("Traceback") == 0


def test_the_end_is_clean_with_ray(address):
    with Host(RAY_ADDRESS=address) as host:
        host.do(
            "import ray\n@ray.remote(num_cpus=0)\nclass A:\n    def f(self): return 1\n"
            "a = A.remote()\nray.get(a.f.remote())"
        )
        host.send('{"op": "shutdown"}')
        assert host.wait() == 0
        assert "Traceback" not in host.said(2)


def test_the_api_of_ray_24(address):
    """The API of Ray 2.4 is there in a session of that runtime."""
    with Host(RAY_ADDRESS=address, REMORA_RAY_API="2.4") as host:
        assert host.run("import ray\nray.data.range(3).take(2)").plain.startswith("[")
