"""AWS Glue's kernel for `remora notebook`: that of aws-glue-sessions as it is, but for what it keeps from the reader.

An interrupted cell gets no answer from it, so that Jupyter waits for ever, and nothing is seen of what the cell had
printed; one that is interrupted before the kernel knows its statement's number goes on. A cell in which Python died is
no error for Jupyter, and one that failed loses its figures. Tracebacks count lines from the first one that is not a
comment, a magic or empty. A kernel that is shut down with cells in its queue runs the next one, in a session of which
nobody knows. Before the first cell it asks the package index for newer releases, without a deadline, and advises to
install them; they have no Ray.
"""

import asyncio
import signal
import time

# First: it sees to it that botocore, which the others import, knows pictures in the answers.
from aws_glue_interactive_sessions_kernel.glue_pyspark.GlueKernel import GlueKernel
from aws_glue_interactive_sessions_kernel.glue_kernel_utils.GlueSessionsConstants import (
    CANCELLED_STATEMENT_STATUS,
    ERROR_STATEMENT_STATUS,
    FINAL_STATEMENT_STATUS,
)
from aws_glue_interactive_sessions_kernel.glue_kernel_utils.KernelGateway import KernelGateway

# Seconds that a cancelled statement may take to end. One that does not is left to itself: the next cell waits for it.
CANCELLED_WITHIN = 20


class Gateway(KernelGateway):
    """Remembers the statement that runs, and whether it was asked to end."""

    statement = None
    cancelled = False

    def run_statement(self, session_id, code):
        """An interrupt waits until the statement's number is there to cancel it by, a second one does not."""
        struck = False

        def strike(*_):
            nonlocal struck
            if struck:
                raise KeyboardInterrupt
            struck = True

        before = signal.signal(signal.SIGINT, strike)
        try:
            answer = super().run_statement(session_id, code)
            self.statement = answer["Id"]
        finally:
            signal.signal(signal.SIGINT, before)
        if struck:
            raise KeyboardInterrupt
        return answer

    def cancel_statement(self, session_id, statement_id):
        self.cancelled = True
        return super().cancel_statement(session_id, statement_id)


class Kernel(GlueKernel):
    # Set on another thread than the cells', which may be in the middle of one.
    ending = False

    def __init__(self, **options):
        super().__init__(**options)
        self.kernel_gateway = Gateway(self.ipython_display)

    def reset_kernel(self):
        if self.ending:
            return  # the cell that runs still asks for its statement
        super().reset_kernel()
        self.kernel_gateway = Gateway(self.ipython_display)

    def do_shutdown(self, restart):
        self.ending = True
        return super().do_shutdown(restart)

    def create_session(self):
        if self.ending:  # the cell has found the session stopped
            raise KeyboardInterrupt
        super().create_session()

    def _get_latest_kernel_version(self, name):
        return None

    # ipykernel looks at the names of the parameters.
    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False):
        if self.ending:
            raise asyncio.CancelledError  # there is no way for a reply any more
        self.kernel_gateway.statement, self.kernel_gateway.cancelled = None, False
        try:
            reply = await super().do_execute(code, silent, store_history, user_expressions, allow_stdin)
            if self.ending:
                raise asyncio.CancelledError
            return self._interrupted() if reply is None else reply
        except KeyboardInterrupt:
            if self.ending:
                raise asyncio.CancelledError
            return self._struck()

    def _struck(self):
        """The reply to a cell that was interrupted where the kernel does not look for it."""
        gateway = self.kernel_gateway
        try:
            if gateway.statement is not None and not gateway.cancelled:
                gateway.cancel_statement(self.get_session_id(), gateway.statement)
                return self._interrupted()
        except KeyboardInterrupt:
            pass
        # While the session started, or for the second time.
        return self._fail("KeyboardInterrupt", "", ["KeyboardInterrupt"])

    def _interrupted(self):
        """The reply to a cell whose statement has been asked to end."""
        deadline = time.monotonic() + CANCELLED_WITHIN
        while self.kernel_gateway.statement is not None and time.monotonic() < deadline:
            if self.ending:
                raise asyncio.CancelledError
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

    async def _execute_magics(self, code, *options):
        """What is left of the cell, with each line at its place."""
        left = await super()._execute_magics(code, *options)
        lines = code.splitlines(keepends=True)
        first = len(lines) - 1 - left.count("\n") if isinstance(left, str) else 0
        if not left or left != "\n".join(line.splitlines()[0] for line in lines[first:]):
            return left  # a magic of the whole cell
        return "\n" * first + "".join(lines[first:])

    def _construct_reply_content(self, statement):
        output = statement["Output"]
        if statement["State"] == ERROR_STATEMENT_STATUS:
            self.execution_counter += 1
            self.display_result(output)
            name, message = output["ErrorName"], output["ErrorValue"]
            return self._fail(name, message, [f"{name}: {message}"])
        reply = super()._construct_reply_content(statement)
        if reply["status"] == "error" and "Result" in output["Data"]:  # what was printed stands before the traceback
            self.display_result({"Data": {name: output["Data"][name] for name in ("MimeType", "Result")}})
        return reply

    def _fail(self, name, message, traceback):
        error = {"ename": name, "evalue": message, "traceback": traceback}
        self.send_response(self.iopub_socket, "error", error)
        reply = {"execution_count": self.execution_counter, "user_expressions": {}, "payload": []}
        return {"status": "error", **reply, **error}


if __name__ == "__main__":
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(kernel_class=Kernel)
