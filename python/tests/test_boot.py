"""How processes start: without Ray nothing is loaded, a user's own sitecustomize runs, and the switch decides."""

import os
import pathlib
import subprocess
import sys

BOOT = str(pathlib.Path(__file__).resolve().parents[1] / "remora" / "boot" / "path")


def python(code, tmp_path, api="2.4"):
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'ran'\n")
    path = os.pathsep.join([BOOT, str(tmp_path)])
    env = {**os.environ, "PYTHONPATH": path, "REMORA_RAY_API": api}
    env.pop("RAY_DATA_DEFAULT_SHUFFLE_STRATEGY", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_chains_to_the_users_sitecustomize(tmp_path):
    assert python("print(mine, __import__('sitecustomize').__file__)", tmp_path) == f"ran {tmp_path}/sitecustomize.py"


def test_loads_nothing_before_ray(tmp_path):
    code = "import sys; print([m for m in sys.modules if m.startswith(('ray', 'pandas', 'remora.compat'))])"
    assert python(code, tmp_path) == "[]"


def test_switch(tmp_path):
    code = "import sys; print('remora' in sys.modules)"
    assert python(code, tmp_path, api="") == "False"
    assert python(code, tmp_path) == "True"


def test_applies_on_attribute_access(tmp_path):
    assert python("import ray; print(ray.data.ActorPoolStrategy(2, 4).max_size)", tmp_path) == "4"
    assert python("from ray.data import set_progress_bars; print('ok')", tmp_path) == "ok"
