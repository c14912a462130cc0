"""The interpreter of an interactive session: one process that runs statements as a notebook does.

Its host is the Go service, which keeps the queue and the results. This is the contract between the two.

Start
    `python -u <layer>/remora/session/__main__.py`, with the environment and the working directory of a job's driver.
    Descriptor 0 is /dev/null, 1 and 2 are pipes that the host reads, 3 is a pipe of requests, 4 a pipe of events.
    Both are JSON, one object a line, ASCII or UTF-8. The interpreter moves 3 and 4 out of user code's way, and closes
    them in whatever it starts or forks. The first event is

        {"event": "ready", "python": "3.11.7", "pid": 4711}

    Until then SIGINT kills it. Without the descriptors it ends with status 1 and the reason on descriptor 2.

Requests
    {"op": "run", "id": 3, "code": "1 + 1"}     runs a statement. Ids are integers, and none is used twice
    {"op": "shutdown"}                          ends the process, as does the end of the pipe

    They are answered in order. A host sends the next statement after the last one's "done" if it wants to be able to
    cancel one that waits; more can be sent. A request that is none ends the process with status 2 and the reason on
    descriptor 2. The end runs what is registered with atexit (Ray's shutdown is) and does not wait for threads; the
    status is 0. A host that does not see it in time kills.

Events
    {"event": "stream", "id": 3, "name": "stdout", "text": "…"}
        What Python code wrote to sys.stdout or sys.stderr, in the order in which it was written. Lines come at once,
        an unfinished line within 50 ms, text of at most 16,384 characters at a time. A text may hold carriage
        returns: each starts the current line of that stream anew, so the host drops what it has of that line, unless
        a newline follows the carriage return. Lines that are redrawn, such as progress bars, come twice a second at
        most.
    {"event": "display", "id": 3, "data": {"text/plain": "…", "image/png": "…"}}
        A value that display() or plt.show() showed, or a figure that was open at the end of the statement.
    {"event": "done", "id": 3, "status": "ok", "data": {"text/plain": "2"}}
        The last event of a statement; all that its code wrote by then has been sent. data is the value of the last
        expression, null if it is None, if there is none, or if a semicolon follows it.
    {"event": "done", "id": 3, "status": "error", "data": null, "ename": "ValueError", "evalue": "…", "traceback": […]}
        Status "cancelled" has the same members: the exception came from an interrupt. The lines of the traceback,
        joined by newlines, are all that a reader needs: source lines, the name and the message are in them, no
        colours.

    The id is null where no statement runs: threads go on writing after theirs has ended. Data is a dictionary from
    MIME types to text, base64 for image/png and image/jpeg; text/plain is always among them, except in what display()
    was given ready-made (`raw=True`). Bounds: 100,000 characters for text/plain, 8 Mi for each other type (what is
    larger is left out, and stderr says so), 8,192 for evalue, 64 Ki for the traceback. Where text is cut it says so.
    A line of the pipe is as long as its data, in ASCII escapes; one of text is shorter than 256 KiB. The
    interpreter waits while the pipe is full: a host must always read, and count what it keeps.

Descriptors 1 and 2
    What C code, started programs and forked children write, as raw bytes, belongs to the statement that runs. When
    "done" comes, the host reads what is in these pipes at that moment before it takes the statement for finished. The
    other events wait, a moment at most, until these pipes are empty: what a program has printed stands before them.
    Children may hold them open after the interpreter's end: its exit is known from waiting for the process and from the
    end of the events. Last words, such as those of a crash (faulthandler is on), are on descriptor 2.

Cancelling
    SIGINT to the process; to its group only if that does not help. The statement's code gets KeyboardInterrupt, in the
    main thread; between statements nothing happens. A host waits for "done" after sending SIGINT before it sends the
    next statement, so that an interrupt never meets a later one. The exception can get lost (Python drops what a
    destructor raises), and native code notices only when it returns: the host repeats the signal after a second or two
    without "done". A signal also wakes nobody if it comes just before a call that blocks, or if another thread takes
    it; SIGURG, which the host sends some milliseconds after SIGINT and again, has no effect but to make Python look. An
    import is not torn: the first interrupt waits for its end, where SIGURG or the next SIGINT finds it. Status "ok" is
    a possible end of a cancelled statement: it may have been at its end, or have caught the exception. Ray notices a
    signal within a second while it waits.

The end of the process
    Without a shutdown it means that the session has FAILED: the statement that runs has no "done". The exit status or
    signal, the lines of descriptor 2 and the statement's output tell why: 1 with a line that says so if code of the
    session closed the pipe of events, 1 with nothing else also if the host did. SIGTERM kills, unless user code or Ray
    has a handler: Ray's ends the process between statements, and in one it is a SystemExit like any other.

What a cell finds
    `__main__` is a module of its own, whose names are the cells'; there is no `__file__`. sys.argv is [""],
    sys.path[0] is "". display, input (an error that says why), exit, quit (SystemExit, an error; the session goes on)
    and `_` are builtins. matplotlib's backend is Agg unless MPLBACKEND is set. Code objects are named `<cell ID>`.
    Cells that await run on one event loop, which rests between cells. `%matplot x` and `%plotly x`, which Glue's
    kernel documents and sends, show x; other lines of IPython's are syntax errors with a hint. Each statement starts
    with working streams and descriptors 0 to 2, whatever the last one did to them. A forked child prints to the
    descriptors and ends with its cell, without atexit.
"""
