"""What test_notebooks.py sees of a notebook: a kernel in a process of its own, and what its cells show."""

import json
import subprocess
from pathlib import Path

DRIVER = Path(__file__).with_name("notebook_kernel.py")


class Kernel:
    def __init__(self, name, python, environment):
        self.process = subprocess.Popen([python, "-B", DRIVER, name], env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, op, **arguments):
        print(json.dumps({"op": op, **arguments}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def cell(self, code, **arguments):
        return Shown(**self.ask("run", code=code, **arguments))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(240) == 0


class Shown:
    """What a cell shows, and the kernel's reply to Jupyter."""

    def __init__(self, outputs, reply, seconds=None):
        self.outputs, self.reply, self.seconds = outputs, reply, seconds
        self.text = "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream")
        self.lines = [line for line in self.text.splitlines() if line]


def pictures(shown):
    return [mime for o in shown.outputs if o["output_type"] == "display_data" for mime in o["data"]]
