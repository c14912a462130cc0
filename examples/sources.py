"""The same workload across hundreds of sources: what can be read arrives, what cannot is reported.

A manifest lists CSV, JSON Lines and Parquet objects of flights from senders who agree on little: columns have other
names, order and types, some are missing, some are there in addition. A task for each source brings it to one schema.
The tables stay in Ray's object store, from where they are written as one Parquet data set; to the driver come only
counts, and the reasons why sources are broken.

    aws s3 cp examples/sources.py s3://work/
    aws glue create-job --name sources --role any --glue-version 4.0 --worker-type Z.2X --number-of-workers 2 \\
        --command Name=glueray,Runtime=Ray2.60,ScriptLocation=s3://work/sources.py \\
        --default-arguments '{"--manifest": "s3://work/sources.json", "--output": "s3://work/arrived",
                              "--report": "s3://work/broken.json"}'
    aws glue start-job-run --job-name sources

Job parameters, which a Ray job finds in its environment:
    --manifest     s3:// address of a JSON list of s3:// addresses that end in .csv, .jsonl or .parquet
    --output       s3:// address of the data set; what was there is replaced
    --report       s3:// address of the report to write, JSON
    --max_broken   number of broken sources that is accepted; with more of them the report is written, the data set is
                   not, and the job fails. Default: all may be broken but one.
"""

import json
import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import ray
from pyarrow.fs import FileSystem

OUTPUT = os.environ["output"]
ROWS_PER_FILE = 10_000

# What arrives. A source without a value for each column that is not nullable is broken.
SCHEMA = pa.schema([
    pa.field("source", pa.string(), nullable=False),
    pa.field("carrier", pa.string(), nullable=False),
    pa.field("flight", pa.int64(), nullable=False),
    pa.field("origin", pa.string(), nullable=False),
    pa.field("dest", pa.string(), nullable=False),
    pa.field("scheduled", pa.timestamp("us", "UTC"), nullable=False),
    pa.field("tailnum", pa.string()),
    pa.field("dep_delay", pa.float64()),
    pa.field("arr_delay", pa.float64()),
    pa.field("distance", pa.float64()),
])
ALIASES = {
    "airline": "carrier", "carrier_code": "carrier",
    "flight_number": "flight", "flight_no": "flight",
    "from": "origin",
    "destination": "dest", "to": "dest",
    "scheduled_departure": "scheduled", "time_hour": "scheduled",
    "tail_number": "tailnum",
    "departure_delay": "dep_delay",
    "arrival_delay": "arr_delay",
}
EMPTY = pa.array(["", "NA", "null"])  # texts that stand for no value


def read_csv(data):
    """Reads CSV with the delimiter that is most frequent in its first line."""
    header = data.decode().partition("\n")[0]  # all is decoded, since Arrow takes other encodings for binary columns
    options = pa.csv.ParseOptions(delimiter=max(",;\t", key=header.count))
    return pa.csv.read_csv(pa.BufferReader(data), parse_options=options)


def read_json(data):
    data.decode()  # Arrow does not look
    return pa.json.read_json(pa.BufferReader(data))


def read_parquet(data):
    return pa.parquet.read_table(pa.BufferReader(data))


READERS = {".csv": read_csv, ".jsonl": read_json, ".parquet": read_parquet}


def convert(values, wanted):
    """Values in the type that is wanted; whole numbers for a time are seconds since 1970."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = pc.if_else(pc.is_in(values, EMPTY.cast(values.type)), None, values)
    if pa.types.is_timestamp(wanted) and pa.types.is_integer(values.type):
        values = values.cast(pa.timestamp("s"))
    return values.cast(wanted)


def normalise(table, source):
    """The table in the schema. Raises ValueError if it cannot be brought to it."""
    names = [name.strip().lower().replace(" ", "_") for name in table.column_names]
    names = [ALIASES.get(name, name) for name in names]
    table = table.rename_columns(names)
    columns = {"source": pa.repeat(source, len(table))}
    for field in list(SCHEMA)[1:]:
        if names.count(field.name) > 1:
            raise ValueError(f"more than one column is the {field.name}")
        if field.name in names:
            try:
                columns[field.name] = convert(table[field.name], field.type)
            except pa.ArrowException as e:
                raise ValueError(f"column {field.name}: {e}") from e
        else:
            columns[field.name] = pa.nulls(len(table), field.type)
        missing = columns[field.name].null_count
        if missing and not field.nullable:
            raise ValueError(f"there is no {field.name} in {missing} of {len(table)} rows; columns: {', '.join(names)}")
    return pa.table(columns, schema=SCHEMA)


def describe(error):
    """An error in a line of bounded length, whatever bytes it quotes."""
    text = f"{type(error).__name__}: {error}"[:300]
    return "".join(c if c.isprintable() else " " for c in text)


# If S3 does not answer, that is an OSError: Ray tries again. What is wrong with the content is wrong each time.
@ray.remote(num_returns=2, max_retries=3, retry_exceptions=[OSError])
def read(source):
    """Returns what the driver needs, the number of rows and the reason why the source is broken, and the table."""
    files, path = FileSystem.from_uri(source)
    try:
        with files.open_input_stream(path) as stream:
            data = stream.read()
    except FileNotFoundError:
        return (0, "there is no such object"), None
    suffix = os.path.splitext(path)[1]
    if suffix not in READERS:
        return (0, f"there is no reader for {suffix}"), None
    try:
        table = normalise(READERS[suffix](data), source)
    except Exception as e:  # whatever it is: the other sources shall arrive
        return (0, describe(e)), None
    return (len(table), None), table


def read_all(sources):
    """Reads the sources, all at once; returns references to their tables, the number of rows and the broken ones."""
    tasks = {}
    for source in sources:
        outcome, table = read.remote(source)
        tasks[outcome] = source, table
    tables, broken, rows = {}, {}, 0
    pending = list(tasks)
    while pending:
        [done], pending = ray.wait(pending)
        source, table = tasks.pop(done)
        try:
            count, reason = ray.get(done)
        except ray.exceptions.RayError as e:  # tried again in vain, or the process died
            count, reason = 0, describe(getattr(e, "cause", e))
        if reason:
            broken[source] = reason
            print(f"broken: {source}: {reason}", flush=True)
        else:
            tables[source] = table
            rows += count
        if len(pending) % 100 == 0:
            print(f"{len(sources) - len(pending)} of {len(sources)} sources read", flush=True)
    in_order = [{"source": s, "reason": broken[s]} for s in sources if s in broken]
    return [tables[s] for s in sources if s in tables], rows, in_order


def load_json(address):
    files, path = FileSystem.from_uri(address)
    with files.open_input_stream(path) as stream:
        return json.load(stream)


def store_json(address, value):
    files, path = FileSystem.from_uri(address)
    with files.open_output_stream(path) as stream:
        stream.write(json.dumps(value, indent=1).encode())


def main():
    ray.init("auto")
    ray.data.DataContext.get_current().enable_progress_bars = False  # they are made for a terminal
    sources = list(dict.fromkeys(load_json(os.environ["manifest"])))
    if not sources:
        sys.exit(f"{os.environ['manifest']} lists no sources")
    max_broken = int(os.environ.get("max_broken", len(sources) - 1))

    tables, rows, broken = read_all(sources)
    report = os.environ["report"]
    store_json(report, {"sources": len(sources), "arrived": len(tables), "rows": rows, "broken": broken})
    if len(broken) > max_broken:
        sys.exit(f"{len(broken)} of {len(sources)} sources are broken, {max_broken} are accepted: {report}")

    arrived = ray.data.from_arrow_refs(tables).repartition(rows // ROWS_PER_FILE + 1)
    arrived.write_parquet(OUTPUT, mode="overwrite")
    print(f"{rows:,} rows of {len(tables)} sources are in {OUTPUT}; {len(broken)} sources are broken: {report}")


if __name__ == "__main__":
    main()
