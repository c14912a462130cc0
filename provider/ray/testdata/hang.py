"""Waits for a task that never ends."""

import time

import ray

ray.init()


@ray.remote
def forever():
    while True:
        time.sleep(1)


ref = forever.remote()
print("hanging")
ray.get(ref)
