"""Drives a Jupyter kernel for test_notebooks.py. It runs on the Python of JupyterLab's environment.

    notebook_kernel.py KERNEL             answers requests, lines of JSON, each with a line: {"op": "run", "code": …,
                                          "reply": whether, "interrupt": file}, {"op": "queue", "codes": […],
                                          "after": file}, {"op": "restart"}, {"op": "kill"}
    notebook_kernel.py execute NOTEBOOK   executes a notebook with nbclient, and prints it
"""

import json
import os
import queue
import sys
import time

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

STARTS_WITHIN = 120  # seconds; the machine may be busy
CELL_WITHIN = 600


class Kernel:
    def __init__(self, name):
        self.manager, self.client = start_new_kernel(startup_timeout=STARTS_WITHIN, kernel_name=name)
        self.manager.shutdown_wait_time = STARTS_WITHIN  # it stops its session

    def run(self, code, interrupt=None, reply=False):
        """What the cell shows until the kernel is idle again, and if asked for its reply, which not every cell gets.
        The kernel is interrupted once the file is there that the cell makes."""
        outputs, start = [], time.monotonic()
        message_id = self.client.execute(code)
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                assert time.monotonic() - start < CELL_WITHIN, f"the cell goes on after {CELL_WITHIN} s: {outputs}"
                if interrupt is not None and os.path.exists(interrupt):
                    interrupt = None
                    self.manager.interrupt_kernel()
                continue
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind in ("stream", "display_data", "execute_result", "error"):
                outputs.append(nbformat.v4.output_from_msg(message))
        took = time.monotonic() - start
        return {"outputs": outputs, "reply": self._reply(message_id) if reply else None, "seconds": took}

    def _reply(self, message_id):
        try:
            while True:
                message = self.client.get_shell_msg(timeout=STARTS_WITHIN)
                if message["parent_header"].get("msg_id") == message_id:
                    return message["content"]
        except queue.Empty:
            return None

    def queue(self, codes, after):
        """Has cells wait for one another, as Run All does. Returns once the file is there that the first one makes."""
        for code in codes:
            self.client.execute(code)
        start = time.monotonic()
        while not os.path.exists(after):
            assert time.monotonic() - start < CELL_WITHIN, f"the first cell does not run after {CELL_WITHIN} s"
            time.sleep(0.05)

    def restart(self):
        self.client.stop_channels()
        self.manager.restart_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=STARTS_WITHIN)

    def kill(self):
        self.manager.shutdown_kernel(now=True)

    def shutdown(self):
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel()


def drive(name):
    kernel = Kernel(name)
    try:
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(getattr(kernel, request.pop("op"))(**request)), flush=True)
    finally:
        kernel.shutdown()


def execute(path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=CELL_WITHIN, startup_timeout=STARTS_WITHIN).execute()
    print(nbformat.writes(notebook))


if __name__ == "__main__":
    execute(sys.argv[2]) if sys.argv[1] == "execute" else drive(sys.argv[1])
