"""Fits `ray start` to a cluster that lives on one host and listens on loopback only.

Ray calls hook() through its own extension point, the environment variable RAY_START_HOOK, after it has read the command
line and before it starts anything. Each change has its reason in the package's doc.go.
"""

import json
import os
import sys
import time
from types import SimpleNamespace

import ray._private.node as ray_node
import ray._private.ray_constants as ray_constants
import ray._private.services as services

HOST = "127.0.0.1"


def hook(params, head):
    with open(os.environ["REMORA_NODE_CONFIG"]) as f:
        config = json.load(f)
    for name in ("RAY_START_HOOK", "REMORA_NODE_CONFIG", "PYTHONPATH"):  # of no use to anything that the node starts
        os.environ.pop(name, None)

    params.node_ip_address = HOST
    params.session_name = config["session"]
    params.ray_client_server_port = None
    params.env_vars = {**(params.env_vars or {}), "RAY_OVERRIDE_NODE_ID_FOR_TESTING": config["id"]}
    if config["pythonPath"]:  # the raylet's environment is its workers'
        params.env_vars["PYTHONPATH"] = config["pythonPath"]
    services._build_python_executable_command_memory_profileable = agents(
        services._build_python_executable_command_memory_profileable, config["agent"])

    os.environ["RAY_gcs_server_port_wait_time_s"] = str(int(config["deadline"]))
    os.environ["RAY_agent_register_timeout_ms"] = str(int(config["deadline"] * 1000))  # or the raylet gives up
    wait_patiently(config["deadline"])
    ray_node.Node.start_api_server = lambda self, **_: None
    ray_node.Node.check_version_info = lambda self: None
    if not head:
        # `ray start --address` asks the head's raylet for these two paths, which we know, and waits until it has registered.
        info = SimpleNamespace(state=0, temp_dir=config["headTempDir"], session_dir=config["headSessionDir"])
        ray_node.get_all_node_info_until_retrieved = lambda *_, **__: [info]
        services.canonicalize_bootstrap_address = lambda *_, **__: head_address(config)


def wait_patiently(deadline):
    """Ray gives its raylet 30 seconds to register, which on a busy host is not enough for many that start together."""
    get_node, start_processes = services.get_node, ray_node.Node.start_ray_processes
    started = []

    def start(node):
        started.append(node)
        start_processes(node)

    def wait(*args, **kwargs):
        end = time.monotonic() + deadline
        while True:
            try:
                return get_node(*args, **kwargs)
            except RuntimeError:  # it is not there yet
                dead = [kind for node in started for kind, _ in node.dead_processes()]
                if dead:
                    sys.exit(f"{', '.join(dead)} ended before the node was there")
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    services.get_node, ray_node.Node.start_ray_processes = wait, start


def agents(build, runtime_env_agent):
    """The command lines of Ray's own agents, which must not see the modules of the job: -E keeps PYTHONPATH from them. The
    runtime env agent's script becomes the argument of ours."""

    def command(component, *args, **kwargs):
        line = build(component, *args, **kwargs)
        line[1:1] = ["-E", "-s"]
        if component == ray_constants.PROCESS_TYPE_RUNTIME_ENV_AGENT:
            line.append(runtime_env_agent)
        return line

    return command


def head_address(config):
    """The address of the head's GCS, once gcs_server has written the port that it listens on."""
    deadline = time.monotonic() + config["deadline"]
    while time.monotonic() < deadline:
        try:
            with open(config["gcsPortFile"]) as f:
                port = f.read().strip()
        except FileNotFoundError:
            port = ""
        if port:
            return f"{HOST}:{port}"
        time.sleep(0.005)
    sys.exit(f"the head's gcs_server did not write its port to {config['gcsPortFile']}")
