"""Runs a few cells with the kernel of the given name, says of each what came out and how long it took, and exits with 1
if that is not what was to be expected."""

import signal
import sys
import time

from jupyter_client.manager import start_new_kernel

KERNEL_WITHIN = 120  # seconds, on a busy machine
CELL_WITHIN = 600  # the first one may have to build the environment of Ray

TASK = """
import ray

@ray.remote
def square(x):
    return x * x

sum(ray.get([square.remote(i) for i in range(10)]))
"""
# What is done, the cell, and the end of what it shows.
CELLS = [
    ("starts a session", "6 * 7", "42"),
    ("runs a cell", "1 + 1", "2"),
    ("runs Ray tasks", TASK, "285"),
    ("stops the session", "%stop_session", "Stopped session."),
]


def run(client, code):
    """Returns whether a cell ended well, and what it showed."""
    shown = []

    def output(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            shown.append(content["text"])
        elif message["msg_type"] == "error":
            shown.append("\n".join(content["traceback"]))

    reply = client.execute_interactive(code, timeout=CELL_WITHIN, output_hook=output)
    return reply["content"]["status"] == "ok", "".join(shown).strip()


def check(client):
    for what, code, expected in CELLS:
        start = time.monotonic()
        try:
            well, shown = run(client, code)
        except TimeoutError:
            well, shown = False, f"there is no answer after {CELL_WITHIN} s"
        took = time.monotonic() - start
        if not well or shown.splitlines()[-1:] != [expected]:
            print(f"FAIL  {what}; after {took:.2f} s the cell\n\n{code.strip()}\n\nshows\n\n{shown}", flush=True)
            return 1
        last = code.strip().splitlines()[-1]
        print(f"ok    {f'{what}, {took:.2f} s':28} {last}  →  {expected}", flush=True)
    return 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    manager, client = start_new_kernel(startup_timeout=KERNEL_WITHIN, kernel_name=sys.argv[1])
    manager.shutdown_wait_time = KERNEL_WITHIN  # it stops its session
    try:
        return check(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


if __name__ == "__main__":
    sys.exit(main())
