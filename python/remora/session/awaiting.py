"""The event loop of a session's top-level await. It runs while a cell awaits and rests between cells."""

from .cells import is_coroutine


class EventLoop:
    def __init__(self, interrupts):
        self._interrupts = interrupts
        self._loop = None

    def run(self, cell, namespace):
        """Runs a cell that awaits and returns its value. Tasks of earlier cells go on meanwhile."""
        import asyncio  # takes longer than most cells

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        loop = self._loop
        asyncio.set_event_loop(loop)
        task = loop.create_task(_steps(cell, namespace), name="cell")

        asked = False
        own = {asyncio.base_events.__file__, asyncio.events.__file__, asyncio.selector_events.__file__}

        def cancel(frame):
            # In a task's own code the interrupt is raised there. In the loop's it would tear the loop apart, also in
            # what it does between a task's steps and in its name; it is raised only where the loop does not come round
            # to cancel the task: a callback runs for long.
            nonlocal asked
            looping = frame is not None and frame.f_code.co_filename in own
            if asked or asyncio.current_task(loop) is not None and not looping:
                return False
            asked = True
            loop.call_soon_threadsafe(cancel_task)
            return True

        def overdue():
            nonlocal asked
            late = asked and asyncio.current_task(loop) is task
            if late:
                asked = False
            return late

        def cancel_task():
            nonlocal asked
            if asked:
                asked = False
                task.cancel()

        self._interrupts.divert, self._interrupts.overdue = cancel, overdue
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError as error:
            if self._interrupts.hit:
                raise KeyboardInterrupt().with_traceback(error.__traceback__) from None
            raise
        finally:
            self._interrupts.divert = self._interrupts.overdue = None
            if not task.done():  # the interrupt was raised in another task, or between two steps of this one
                task.cancel()
                loop.run_until_complete(asyncio.wait({task}, timeout=2))
            if task.done() and not task.cancelled():
                task.exception()  # it has been raised, and is not to be reported as lost

    def close(self):
        """Cancels what is left, and gives it a moment to end."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        import asyncio

        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=2))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _steps(cell, namespace):
    value = None
    for code in cell.codes:
        value = eval(code, namespace)
        if is_coroutine(code):
            value = await value
    return value
