"""Programs from Maven Central, through Maven: pinned, and checked by hash before they are used."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>remora</groupId><artifactId>compat</artifactId><version>1</version>
<dependencies>
<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>
</dependencies>
</project>"""


class Unavailable(Exception):
    """This machine cannot have a program; the text says why."""


def fetch(artifact, digest):
    """The folder with an artifact's files and those of its dependencies; downloaded once, below the cache directory."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "remora"
    name = f"maven-{artifact.split(':')[1].lower()}-{digest[:16]}"
    folder = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        if not shutil.which("mvn"):
            raise Unavailable(f"Maven is not installed, which gets {artifact}")
        work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=cache))
        try:
            (work / "pom.xml").write_text(POM.format(*artifact.split(":")))
            # A repository of its own, so that the user's keeps nothing of ours and what is there is not trusted.
            done = subprocess.run(
                ["mvn", "--batch-mode", "--quiet", "--file", work / "pom.xml", f"-Dmaven.repo.local={work}/repository",
                 f"{PLUGIN}:copy-dependencies", f"-DoutputDirectory={work}/files", "-DincludeScope=runtime"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert done.returncode == 0, f"Maven could not get {artifact}:\n{done.stdout[-4000:]}"
            got = digest_of(work / "files")
            assert got == digest, f"the files of {artifact} are not those expected: digest {got}, not {digest}"
            (work / "files").rename(folder)
        finally:
            shutil.rmtree(work)
    return folder


def digest_of(folder):
    """The SHA-256 of what sha256sum prints for a folder's files in the order of their names."""
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(folder.iterdir())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
