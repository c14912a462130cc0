"""The job of test_modules.py: says what its driver and its tasks see of what the job brings along, and then what a
runtime_env adds to that: for one task, and then for all of them. Prints one line of JSON."""

import json
import os
import sys

import ray

ray.init("auto")


def seen():
    import importlib

    found = {"cwd": os.path.basename(os.getcwd()), "file": os.path.exists("data.txt") and open("data.txt").read(),
             "ray": ray.__version__, "value": os.environ.get("VALUE")}
    for name in ("pandas", "humanize", "tabulate", "from_wheel", "from_zip", "from_source", "single", "packed", "local"):
        try:
            module = importlib.import_module(name)
            found[name] = getattr(module, "__version__", getattr(module, "VALUE", "there"))
        except ImportError:
            found[name] = None
    return found


@ray.remote(num_cpus=0.1)
def task():
    return seen()


@ray.remote(num_cpus=0.1, runtime_env={"pip": ["tabulate==0.9.0"], "env_vars": {"VALUE": "of a decorator"}})
def decorated():
    return seen()


@ray.remote(num_cpus=0.1)
class Actor:
    def seen(self):
        return seen()


def failure(runtime_env):
    try:
        ray.get(task.options(runtime_env=runtime_env).remote())
    except ray.exceptions.RuntimeEnvSetupError as e:
        return str(e)
    return None


bucket = os.environ["bucket"]
report = {
    "driver": seen(),
    "executable": sys.executable,
    "task": ray.get(task.remote()),
    "decorated": ray.get(decorated.remote()),
    "actor with pip": ray.get(Actor.options(runtime_env={"pip": {"packages": ["tabulate==0.9.0"]}}).remote().seen.remote()),
    "uv": ray.get(task.options(runtime_env={"uv": ["tabulate==0.9.0"]}).remote()),
    "py_modules": ray.get(task.options(runtime_env={"py_modules": [f"s3://{bucket}/runtime-env-module.zip"]}).remote()),
    "working_dir": ray.get(task.options(runtime_env={"working_dir": f"s3://{bucket}/runtime-env-dir.zip"}).remote()),
    "python path": ray.get(task.options(runtime_env={"env_vars": {"PYTHONPATH": "/elsewhere", "VALUE": "x"}}).remote()),
    "another ray": failure({"pip": ["ray==2.9.0"]}),
    "no such package": failure({"pip": ["tabulate==0.0.1"]}),
    "options": failure({"pip": {"packages": ["tabulate"], "pip_install_options": ["--index-url=http://elsewhere"]}}),
}
# Folders of the driver can be given at the level of ray.init only.
ray.shutdown()
local, other = os.path.join(os.environ["HOME"], "local"), os.path.join(os.environ["HOME"], "other")
os.makedirs(local)
os.makedirs(other)
with open(os.path.join(local, "__init__.py"), "w") as f:
    f.write("VALUE = 'a folder of the driver'\n")
with open(os.path.join(other, "data.txt"), "w") as f:
    f.write("of a folder of the driver")
ray.init("auto", runtime_env={"pip": ["tabulate==0.9.0"], "working_dir": other, "py_modules": [local], "env_vars": {"VALUE": "of init"}})
report["init"] = ray.get(task.remote())
report["over init"] = ray.get(task.options(runtime_env={"env_vars": {"VALUE": "of options"}}).remote())
print("report", json.dumps(report), flush=True)
