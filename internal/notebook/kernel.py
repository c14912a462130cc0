"""AWS Glue's kernel for `remora notebook`: that of aws-glue-sessions as it is, but for what it keeps from the reader.

An interrupted cell gets no answer from it, so that Jupyter waits for ever, and nothing is seen of what the cell had
printed. Before the first cell it asks the package index for newer releases, without a deadline, and advises to
install them; they have no Ray.
"""

import time

# First: it sees to it that botocore, which the others import, knows pictures in the answers.
from aws_glue_interactive_sessions_kernel.glue_pyspark.GlueKernel import GlueKernel
from aws_glue_interactive_sessions_kernel.glue_kernel_utils.GlueSessionsConstants import (
    CANCELLED_STATEMENT_STATUS,
    FINAL_STATEMENT_STATUS,
)
from aws_glue_interactive_sessions_kernel.glue_kernel_utils.KernelGateway import KernelGateway

# Seconds that a cancelled statement may take to end. One that does not is left to itself: the next cell waits for it.
CANCELLED_WITHIN = 20


class Gateway(KernelGateway):
    """Remembers the statement that runs."""

    statement = None

    def run_statement(self, session_id, code):
        self.statement = None
        answer = super().run_statement(session_id, code)
        self.statement = answer["Id"]
        return answer


class Kernel(GlueKernel):
    def __init__(self, **options):
        super().__init__(**options)
        self.kernel_gateway = Gateway(self.ipython_display)

    def reset_kernel(self):
        super().reset_kernel()
        self.kernel_gateway = Gateway(self.ipython_display)

    def _get_latest_kernel_version(self, name):
        return None

    # ipykernel looks at the names of the parameters.
    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False):
        try:
            reply = await super().do_execute(code, silent, store_history, user_expressions, allow_stdin)
            return self._interrupted() if reply is None else reply
        except KeyboardInterrupt:  # while the session started, or a second one
            return self._fail("KeyboardInterrupt", "", ["KeyboardInterrupt"])

    def _interrupted(self):
        """The reply to a cell whose statement has been asked to end."""
        deadline = time.monotonic() + CANCELLED_WITHIN
        while self.kernel_gateway.statement is not None and time.monotonic() < deadline:
            answer = self.kernel_gateway.get_statement(self.get_session_id(), self.kernel_gateway.statement)
            state, output = answer["Statement"]["State"], answer["Statement"].get("Output")
            if state == CANCELLED_STATEMENT_STATUS:
                self.execution_counter += 1
                self.display_result(output)
                return self._fail("KeyboardInterrupt", "", output["Traceback"])
            if state in FINAL_STATEMENT_STATUS:  # it came too late
                return self._construct_reply_content(answer["Statement"])
            time.sleep(0.1)
        self._send_error_output("The statement goes on: it cannot be cancelled now. The next cell waits for it.")
        return self._fail("KeyboardInterrupt", "", ["KeyboardInterrupt"])

    def _fail(self, name, message, traceback):
        error = {"ename": name, "evalue": message, "traceback": traceback}
        self.send_response(self.iopub_socket, "error", error)
        reply = {"execution_count": self.execution_counter, "user_expressions": {}, "payload": []}
        return {"status": "error", **reply, **error}


if __name__ == "__main__":
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(kernel_class=Kernel)
