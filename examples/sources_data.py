"""300 sources as they come from 300 senders: small CSV, JSON Lines and Parquet objects of flights, each with its own
names, order and types of columns, some of them broken. The same table gives the same sources, byte for byte.
"""

import io
import json
import random
from typing import NamedTuple

import pandas as pd

COUNT = 300
ROWS = 100  # in each

# What all of them mean.
COLUMNS = ["carrier", "flight", "origin", "dest", "scheduled", "tailnum", "dep_delay", "arr_delay", "distance"]
OPTIONAL = ["tailnum", "dep_delay", "arr_delay", "distance"]

NAMES = [
    {},
    {"carrier": "airline", "flight": "flight_number", "scheduled": "scheduled_departure", "dest": "destination"},
    {"carrier": "Carrier Code", "flight": "Flight No", "origin": "From", "dest": "To", "scheduled": "Time Hour",
     "tailnum": "Tail Number", "dep_delay": "Departure Delay", "arr_delay": "Arrival Delay"},
]


class Source(NamedTuple):
    key: str
    content: bytes | None  # None: it is listed, but is not there
    fault: str | None  # what is wrong with it, a key of FAULTS
    rows: pd.DataFrame  # what has to arrive, with the columns COLUMNS; none of a broken source


def make(flights):
    """Makes the sources of a flights table."""
    rng = random.Random(2013)
    rows = flights.sample(COUNT * ROWS, random_state=2013).rename(columns={"time_hour": "scheduled"})
    rows["scheduled"] = pd.to_datetime(rows["scheduled"])
    rows = rows[COLUMNS].reset_index(drop=True)
    faults = dict(zip(rng.sample(range(COUNT), len(FAULTS)), FAULTS))
    return [one(number, rows[number * ROWS:(number + 1) * ROWS], faults.get(number), rng) for number in range(COUNT)]


def one(number, rows, fault, rng):
    """A source of the given rows, in a format and a dialect by chance; a fault decides on the format."""
    suffix, damage = FAULTS[fault] if fault else (rng.choice(sorted(WRITERS)), None)
    absent = rng.sample(OPTIONAL, rng.randrange(3))
    content = WRITERS[suffix](dialect(rows, absent, suffix, rng), rng)
    if fault:
        content, rows = damage(content), rows[:0]
    else:
        rows = rows.astype({"distance": float})
        rows[absent] = rows[absent].mask(rows[absent].notna())
    return Source(f"sources/{number:03}{suffix}", content, fault, rows)


def dialect(rows, absent, suffix, rng):
    """The rows with one sender's columns: some are absent, some are there in addition, and none is as one expects."""
    table = rows.drop(columns=absent)
    if suffix != ".parquet" or rng.random() < 0.3:
        as_text = table["scheduled"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        table["scheduled"] = rng.choice([as_text, table["scheduled"].astype("int64") // 10**9])
    elif rng.random() < 0.5:
        table["scheduled"] = table["scheduled"].dt.tz_localize(None)
    if rng.random() < 0.4:  # numbers as text, with a word for those that are missing
        for name in table.columns.intersection(["flight", "dep_delay", "arr_delay"]):
            text = table[name].astype("Int64").astype("string")
            table[name] = text.fillna(rng.choice(["NA", "", "null"])).astype(object)
    if rng.random() < 0.3:
        table["remarks"] = rng.choice(["checked, twice", "päivitetty", "said \"final\""])
    if rng.random() < 0.2:
        table["batch"] = rng.randrange(1000)
    columns = list(table.columns)
    rng.shuffle(columns)
    return table[columns].rename(columns=rng.choice(NAMES))


def write_csv(table, rng):
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig"])
    return table.to_csv(index=False, sep=rng.choice(",,;\t"), na_rep=rng.choice(["", "NA"])).encode(encoding)


def write_json(table, rng):
    return table.to_json(orient="records", lines=True, force_ascii=rng.random() < 0.5).encode()


def write_parquet(table, rng):
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression=rng.choice(["snappy", "gzip", "zstd"]))
    return buffer.getvalue()


WRITERS = {".csv": write_csv, ".jsonl": write_json, ".parquet": write_parquet}


def in_the_middle(content, change):
    """Text with its middle line changed."""
    lines = content.splitlines(keepends=True)
    lines[len(lines) // 2] = change(lines[len(lines) // 2])
    return b"".join(lines)


def nested(line):
    """A line of JSON with each value in an object of its own."""
    return json.dumps({name: {"value": value} for name, value in json.loads(line).items()}).encode() + b"\n"


def with_umlaut(line):
    """A line of JSON with one more value, in another encoding."""
    return line.replace(b"{", b'{"note":"Z\xfcrich",', 1)


def without_column(content):
    """A Parquet table without its carriers, whatever their column is called."""
    table = pd.read_parquet(io.BytesIO(content))
    return write_parquet(table.drop(columns=["carrier", "airline", "Carrier Code"], errors="ignore"), random.Random(0))


def with_a_word(content):
    """A Parquet table in which the number of one flight is a word."""
    table = pd.read_parquet(io.BytesIO(content))
    [name] = table.columns.intersection(["flight", "flight_number", "Flight No"])
    return write_parquet(table.assign(**{name: ["twelve", *table[name].astype(str)[1:]]}), random.Random(0))


ERROR_PAGE = b"<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head></html>\n"

# What can be wrong, with the format of the source, and how it gets so.
FAULTS = {
    "parquet cut off": (".parquet", lambda content: content[: len(content) // 2]),
    "parquet with an error page": (".parquet", lambda content: ERROR_PAGE),
    "parquet without a column": (".parquet", without_column),
    "parquet with a word for a number": (".parquet", with_a_word),
    "json cut off": (".jsonl", lambda content: content[:-20]),
    "json with a nested value": (".jsonl", lambda content: in_the_middle(content, nested)),
    "json in Latin-1": (".jsonl", lambda content: in_the_middle(content, with_umlaut)),
    "csv with an open quote": (".csv", lambda content: in_the_middle(content, lambda l: b'"' + l)),
    "csv with a field too many": (".csv", lambda content: in_the_middle(content, lambda l: l.rstrip() + b",,;;\t\t\n")),
    "csv of random bytes": (".csv", lambda content: random.Random(0).randbytes(len(content))),
    "csv in UTF-16": (".csv", lambda content: content.decode("utf-8-sig").encode("utf-16")),
    "empty": (".csv", lambda content: b""),
    "missing": (".csv", lambda content: None),
}
