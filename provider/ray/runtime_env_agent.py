"""Stands for the script of Ray's runtime env agent, which it then runs: packages that a runtime_env asks for go over the
runtime as an overlay that all clusters of the host share. The package's doc.go says why.

The command line is that of Ray's agent, with the path of Ray's script in front.
"""

import asyncio
import fcntl
import json
import os
import runpy
import sys

import ray._private.runtime_env.pip as ray_pip
import ray._private.runtime_env.uv as ray_uv
from ray._private.runtime_env.context import RuntimeEnvContext
from ray._private.runtime_env.plugin import RuntimeEnvPlugin
from ray._private.runtime_env.working_dir import set_pythonpath_in_context

HERE = os.path.dirname(os.path.abspath(__file__))
WORKING_DIR = "RAY_RUNTIME_ENV_CREATE_WORKING_DIR"  # what Ray documents for paths below the working_dir


class Overlays(RuntimeEnvPlugin):
    """A runtime_env's list of packages. What it returns for a URI it keeps for the life of the node."""

    def __init__(self, resources_dir):
        with open(os.path.join(HERE, "runtime_env_agent.json")) as f:
            self.command = json.load(f)
        self.overlays = {}
        self.building = {}

    async def create(self, uri, runtime_env, context, logger):
        if uri not in self.overlays:
            lock = self.building.setdefault(uri, asyncio.Lock())
            async with lock:
                if uri not in self.overlays:
                    self.overlays[uri] = await self.build(requirements(self.config(runtime_env)), logger)
        return 0  # bytes that are the node's own

    async def build(self, packages, logger):
        logger.info("Putting %s over the runtime", ", ".join(packages))
        process = await asyncio.create_subprocess_exec(
            *self.command["argv"], env=dict(v.split("=", 1) for v in self.command["env"]),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        try:
            out, err = await process.communicate(json.dumps(packages).encode())
        except asyncio.CancelledError:  # Ray's time limit
            process.kill()
            raise
        if process.returncode:
            raise RuntimeError(err.decode(errors="replace").strip())
        logger.info("%s", err.decode(errors="replace").strip())
        overlay = json.loads(out)
        for path in overlay["locks"]:
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # held as long as this process lives
            fcntl.flock(lock, fcntl.LOCK_SH)
        return overlay

    def modify_context(self, uris, runtime_env, context, logger):
        for uri in uris:
            overlay = self.overlays[uri]
            for folder in reversed(overlay["path"]):
                set_pythonpath_in_context(folder, context)
            path = context.env_vars.get("PATH", os.environ["PATH"])
            context.env_vars["PATH"] = os.pathsep.join([*overlay["bin"], path])


class Pip(Overlays):
    name = "pip"

    def get_uris(self, runtime_env):
        return [uri] if (uri := runtime_env.pip_uri()) else []

    def config(self, runtime_env):
        return runtime_env.pip_config()


class Uv(Overlays):
    name = "uv"

    def get_uris(self, runtime_env):
        return [uri] if (uri := runtime_env.uv_uri()) else []

    def config(self, runtime_env):
        return runtime_env.uv_config()


def requirements(config):
    """The packages of a runtime_env. What only pip or uv would understand is refused, not ignored."""
    usual = {"--disable-pip-version-check", "--no-cache-dir", "--no-cache"}
    for option in ("pip_install_options", "uv_pip_install_options"):
        if unusual := [o for o in config.get(option) or [] if o not in usual]:
            raise ValueError(f"{option} {unusual} cannot be given for a job; which index is used is a setting of the host")
    found = []
    for line in config["packages"]:
        line = line.split(" #", 1)[0].strip()  # lists that were read from a requirements.txt have its comments
        if line and not line.startswith("#"):
            found.append(line.replace(f"${{{WORKING_DIR}}}", os.environ.get(WORKING_DIR, "")))
    return found


def keep_job_modules():
    """PYTHONPATH in a runtime_env's env_vars comes before the modules of the job, and does not replace them."""
    construct = RuntimeEnvContext.__init__

    def init(self, command_prefix=None, env_vars=None, *args, **kwargs):
        own = os.environ.get("PYTHONPATH")
        if own and env_vars and "PYTHONPATH" in env_vars:
            env_vars = {**env_vars, "PYTHONPATH": env_vars["PYTHONPATH"] + os.pathsep + own}
        construct(self, command_prefix, env_vars, *args, **kwargs)

    RuntimeEnvContext.__init__ = init


if __name__ == "__main__":
    ray_pip.PipPlugin, ray_uv.UvPlugin = Pip, Uv
    keep_job_modules()
    script = sys.argv.pop(1)
    sys.argv[0] = script
    sys.path[0] = os.path.dirname(script)
    runpy.run_path(script, run_name="__main__")
