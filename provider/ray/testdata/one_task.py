"""The shortest useful script."""

import ray

ray.init()
ray.get(ray.remote(lambda: 1).remote())
