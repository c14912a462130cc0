"""One real cluster for all tests, in processes that boot as those of a `Ray2.4` run do."""

import os
import pathlib
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BOOT = str(ROOT / "remora" / "boot" / "path")
# Workers unpickle classes of test modules by their names.
TESTS = str(ROOT / "tests")

# Before ray is imported: this process and its workers inherit what the Go side sets for a run.
os.environ["REMORA_RAY_API"] = "2.4"
os.environ["PYTHONPATH"] = os.pathsep.join([BOOT, TESTS, *filter(None, [os.environ.get("PYTHONPATH")])])
sys.path.insert(0, str(ROOT))
from remora.boot import hook  # noqa: E402

hook.install()


@pytest.fixture(scope="session", autouse=True)
def cluster(tmp_path_factory):
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    import ray.data

    ray.data.set_progress_bars(False)
    yield ray
    ray.shutdown()
    deadline = time.monotonic() + 120
    while left := _children():
        assert time.monotonic() < deadline, f"processes are left after ray.shutdown: {left}"
        time.sleep(0.05)


def _children():
    tasks = pathlib.Path("/proc/self/task")
    pids = [pid for task in tasks.iterdir() for pid in _read(task / "children").split()]
    stats = {pid: _read(f"/proc/{pid}/stat") for pid in pids}
    # A zombie is gone but for its exit status.
    return [pid for pid, stat in stats.items() if stat and stat.rpartition(")")[2].split()[0] != "Z"]


def _read(path):
    """Empty if the process or thread has ended since it was found."""
    try:
        return pathlib.Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
def notices(cluster):
    """Forgets which warnings were shown."""
    from remora.compat.ray24 import notices

    before, notices._seen = notices._seen, set()
    yield notices
    notices._seen = before
