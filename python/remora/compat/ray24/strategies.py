"""`compute=` of Ray 2.4: the strings "tasks" and "actors", and ActorPoolStrategy with positional sizes."""

import functools

from ray.data import ActorPoolStrategy, TaskPoolStrategy


def apply(ray_data):
    """Lets ActorPoolStrategy take its sizes by position. The class stays the same one."""
    today = ActorPoolStrategy.__init__

    @functools.wraps(today)
    def init(self, *sizes, **options):
        names = ("min_size", "max_size", "max_tasks_in_flight_per_actor")
        if len(sizes) > len(names):
            raise TypeError(f"ActorPoolStrategy takes at most {len(names)} positional arguments, got {len(sizes)}")
        for name, value in zip(names, sizes, strict=False):
            if name in options:
                raise TypeError(f"ActorPoolStrategy got multiple values for argument {name!r}")
            options[name] = value
        today(self, **options)

    ActorPoolStrategy.__init__ = init


def resolve(compute, fn=None):
    """The strategy that `compute` meant in 2.4."""
    callable_class = isinstance(fn, type)
    if compute == "actors":
        return ActorPoolStrategy(1)
    if compute == "tasks" or isinstance(compute, TaskPoolStrategy):
        if callable_class:
            raise ValueError(f"a class as `fn` needs actors: compute=ActorPoolStrategy(min, max), got {compute!r}")
        return TaskPoolStrategy() if compute == "tasks" else compute
    if isinstance(compute, str):
        raise ValueError(f'compute is {compute!r}, must be "tasks", "actors" or a strategy')
    return compute
