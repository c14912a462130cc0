"""Top-level await, on one event loop for the session."""


from test_session_host import Host


def test_values_and_names():
    with Host() as host:
        host.do("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * 2")
        assert host.run("await f(4)").plain == "8"
        assert host.run("y = await f(5)\ny + 1").plain == "11"
        assert host.run("[await f(i) for i in range(3)]").plain == "[0, 2, 4]"
        assert (
            host.run(
                "async with asyncio.timeout(5) if hasattr(asyncio, 'timeout') else asyncio.Lock():\n    z = 1"
            ).status
            == "ok"
        )
        assert host.run("await f(1);").data is None
        assert host.run("z").plain == "1"


def test_errors_are_the_cells():
    with Host() as host:
        result = host.run("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    1 / 0\nawait f()")
        assert result.ename == "ZeroDivisionError"
        assert [line.strip() for line in result.done["traceback"] if line.startswith("  File")] == [
            'File "<cell 0>", line 5, in <module>',
            'File "<cell 0>", line 4, in f',
        ]
        assert host.run("await asyncio.wait_for(asyncio.sleep(100), 0.01)").ename == "TimeoutError"
        assert host.run("import sys\nawait asyncio.sleep(0)\nsys.exit(4)").evalue == "4"


def test_background_tasks_go_on_while_later_cells_await():
    with Host() as host:
        host.do(
            "import asyncio\nseen = []\nasync def tick():\n"
            "    while True:\n        seen.append(1)\n        await asyncio.sleep(0)\n"
            "task = asyncio.create_task(tick())\nawait asyncio.sleep(0)"
        )
        before = int(host.run("len(seen)").plain)
        assert int(host.run("len(seen)").plain) == before
        assert int(host.run("for _ in range(10): await asyncio.sleep(0)\nlen(seen)").plain) >= before + 10
        assert host.run("task.done()").plain == "False"


def test_a_cancelled_task_is_an_error_unless_the_statement_was_interrupted():
    with Host() as host:
        result = host.run("import asyncio\nt = asyncio.create_task(asyncio.sleep(100))\nt.cancel()\nawait t")
        assert (result.status, result.ename) == ("error", "CancelledError")


def test_an_interrupt_leaves_background_tasks_alone():
    with Host() as host:
        host.do(
            "import asyncio\nasync def wait():\n    await event.wait()\n    return 'woken'\n"
            "event = asyncio.Event()\ntask = asyncio.create_task(wait())\nawait asyncio.sleep(0)"
        )
        host.start("print('started')\nawait asyncio.sleep(1000)")
        host.until("started")
        host.interrupt()
        result = host.result()
        assert result.status == "cancelled"
        assert host.run("event.set()\nawait task").plain == "'woken'"


def test_an_interrupt_while_the_loop_runs_a_callback():
    """The first one is for the task, which the loop cannot get to; the host repeats it."""
    with Host() as host:
        host.start(
            "import asyncio, time\ndef busy():\n    print('in')\n    time.sleep(1000)\n"
            "asyncio.get_running_loop().call_soon(busy)\nawait asyncio.sleep(1000)"
        )
        host.until("in")
        host.interrupt(insist=True)
        result = host.result()
        assert (result.status, result.ename) == ("cancelled", "KeyboardInterrupt")
        assert "time.sleep(1000)" in result.traceback
        assert host.run("await asyncio.sleep(0, 6)").plain == "6"


def test_asyncio_run_works_between():
    with Host() as host:
        host.do("import asyncio\nlock = asyncio.Lock()\nawait lock.acquire()")
        assert host.run("async def f():\n    await asyncio.sleep(0)\n    return 3\nasyncio.run(f())").plain == "3"
        assert host.run("await asyncio.sleep(0, lock.locked())").plain == "True"
        assert host.run("asyncio.get_event_loop().close()\n1").plain == "1"
        assert host.run("await asyncio.sleep(0, 2)").plain == "2"


def test_the_end_cancels_what_is_left():
    with Host() as host:
        host.do(
            "import asyncio\nasync def f():\n    try: await asyncio.sleep(1000)\n    finally: print('ended')\n"
            "task = asyncio.create_task(f())\nawait asyncio.sleep(0)"
        )
        host.send('{"op": "shutdown"}')
        assert host.line("the task is silent") == "ended\n"
        assert host.wait() == 0
