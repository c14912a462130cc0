"""Runs one node of a Ray cluster until one of its processes ends.

    python node.py CONFIG

CONFIG is a JSON file, see nodeConfig in nodes.go. What `ray start --block` does
with the same two classes of Ray, less what a supervised cluster on one host
does without; the reasons are in the package's doc.go.
"""

import json
import os
import sys
import time
from types import SimpleNamespace

import ray._private.node as ray_node
from ray._private.parameter import RayParams
from ray._private.resource_isolation_config import ResourceIsolationConfig

HOST = "127.0.0.1"


class HeadNode(ray_node.Node):
    def start_api_server(self, **_):
        """Not needed: without a dashboard it serves usage statistics only."""


class WorkerNode(ray_node.Node):
    def check_version_info(self):
        """Not needed: all nodes run in one environment."""


def wait_for_port(path, deadline):
    """Return the port that gcs_server writes into its file when it listens."""
    while time.monotonic() < deadline:
        try:
            with open(path) as f:
                port = f.read().strip()
        except FileNotFoundError:
            port = ""
        if port:
            return port
        time.sleep(0.005)
    sys.exit(f"the head's gcs_server did not write its port to {path}")


def main():
    with open(sys.argv[1]) as f:
        config = json.load(f)
    head = config["head"]
    params = dict(
        node_ip_address=HOST,
        node_name=config["name"],
        num_cpus=config["cpus"],
        memory=config["memory"],
        object_store_memory=config["objectStore"],
        temp_dir=config["tempDir"],
        session_name=config["session"],
        env_vars={"RAY_OVERRIDE_NODE_ID_FOR_TESTING": config["id"]},
        include_dashboard=False,
        no_monitor=True,
        dashboard_agent_listen_port=0,
        min_worker_port=0,
        max_worker_port=0,
        resource_isolation_config=ResourceIsolationConfig(enable_resource_isolation=False),
    )
    if head:
        node_class = HeadNode
        params["gcs_server_port"] = 0
    else:
        node_class = WorkerNode
        port = wait_for_port(config["gcsPortFile"], time.monotonic() + config["deadline"])
        params["gcs_address"] = f"{HOST}:{port}"
        params["webui"] = ""
        head_info = SimpleNamespace(state=0, temp_dir=config["headTempDir"], session_dir=config["headSessionDir"])
        ray_node.get_all_node_info_until_retrieved = lambda *_, **__: [head_info]
    node = node_class(RayParams(**params), head=head, shutdown_at_exit=False, spawn_reaper=True)

    # Wait for a child to end without reaping it: it is Ray's to reap.
    while True:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        dead = [(kind, p.returncode) for kind, p in node.dead_processes()]
        if dead:
            break
        time.sleep(0.05)  # not one of the node's processes
    for kind, code in dead:
        print(f"{kind} ended with status {code}", file=sys.stderr)
    # The others get SIGKILL with us (PR_SET_PDEATHSIG, spawn_reaper).
    os._exit(1)


main()
