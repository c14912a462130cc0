"""What a user's script does with its cluster; prints what the test looks for."""

import json

import brought
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ray.init()
ray.shutdown()
ray.init("auto")


@ray.remote
def make(n):
    print("a worker prints", n)
    return ray.put(b"x" * n), ray.get_runtime_context().get_node_id()


@ray.remote
def measure(refs):
    return len(ray.get(refs[0])), ray.get_runtime_context().get_node_id()


@ray.remote
class Counter:
    def __init__(self):
        self.n = 0

    def add(self):
        self.n += 1
        return self.n

    def surroundings(self):
        return here()


def here():
    """What a process finds of what the job brings along."""
    import os

    import also
    import brought

    return brought.NAME, os.getcwd(), open("data.txt").read()


@ray.remote
def surroundings():
    return here()


@ray.remote(runtime_env={"env_vars": {"OF_TASK": "yes", "PYTHONPATH": "/of/the/task"}})
def env():
    import os
    import sys

    import brought

    before = sys.path.index("/of/the/task") < sys.path.index(os.path.dirname(brought.__file__))
    return os.environ.get("OF_TASK"), os.environ.get("SECRET"), before


def on(node, f):
    return f.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))


nodes = sorted(n["NodeID"] for n in ray.nodes() if n["Alive"])
ran, moved = [], []
for i, node in enumerate(nodes):
    ref, where = ray.get(on(node, make).remote(10_000_000 + i))
    ran.append(where)
    for other in nodes:
        size, where = ray.get(on(other, measure).remote([ref]))
        moved.append((size == 10_000_000 + i, where == other))

counter = Counter.remote()
counts = ray.get([counter.add.remote() for _ in range(10)])
*env_vars, before = ray.get(env.remote())

print(
    "RESULT",
    json.dumps(
        dict(
            resources=ray.cluster_resources(),
            nodes=nodes,
            ran=ran,
            moved=all(a and b for a, b in moved),
            counts=counts,
            env=env_vars,
            before=before,
            driver=[brought.NAME],
            tasks=ray.get([on(node, surroundings).remote() for node in nodes]),
            actor=ray.get(counter.surroundings.remote()),
            head=ray.get_runtime_context().get_node_id(),
            data=ray.data.range(1000).sum("id"),
        )
    ),
)
