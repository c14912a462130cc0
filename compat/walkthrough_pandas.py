"""What plain pandas makes of the data of test_walkthrough.py, as JSON, after a comparison with what the job has written.
The test runs it with the runtime's Python, which has pandas, and without Ray:

    python walkthrough_pandas.py FOLDER-OF-THE-DATA FOLDER-OF-THE-RESULTS
"""

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DROPPED = ["review_body", "vine", "product_parent", "verified_purchase", "review_headline"]


def read(folder, reader, suffix):
    files = sorted(Path(folder).glob(f"*.{suffix}"))
    assert files, f"there is no *.{suffix} in {folder}"
    return pd.concat([reader(f) for f in files], ignore_index=True)


def shown(frame):
    """Rows as `show` prints them."""
    return [str(row) for row in frame.to_dict("records")]


def highest(frame):
    """Which rows may come first in the order of their votes; it says nothing of those with the same number."""
    return shown(frame[frame["total_votes"] == frame["total_votes"].max()])


def verdict(ratio):
    if pd.isna(ratio):
        return "none"
    return "useless" if ratio <= 0.25 else "disputed" if ratio <= 0.75 else "useful"


def equal(got, want, what):
    got = got.sort_values("review_id", ignore_index=True)
    want = want.sort_values("review_id", ignore_index=True)
    pd.testing.assert_frame_equal(got, want, check_exact=False, rtol=1e-9, obj=what)


def compare_written(results, want):
    """The three formats; dates are numbers or text where a format has no type for them."""
    equal(read(f"{results}/parquet", pd.read_parquet, "parquet"), want, "the Parquet files")
    for file in Path(f"{results}/parquet").glob("*.parquet"):
        schema = pq.read_schema(file)
        assert pq.read_metadata(file).num_rows == 0 or schema.field("review_date").type == pa.date32(), schema

    as_text = {"customer_id": str}
    csv = read(f"{results}/csv", lambda f: pd.read_csv(f, dtype=as_text), "csv")
    csv["review_date"] = pd.to_datetime(csv["review_date"]).dt.date
    equal(csv, want, "the CSV files")

    json_lines = read(f"{results}/json", lambda f: pd.read_json(f, lines=True, dtype=as_text, convert_dates=False), "json")
    json_lines["review_date"] = pd.to_datetime(json_lines["review_date"], unit="ms").dt.date
    equal(json_lines, want, "the JSON files")


def main(data, results):
    table = pq.read_table(data, partitioning=None)
    facts = {"rows": len(table), "schema": str(table.schema.remove_metadata()).splitlines(), "bytes": table.nbytes}
    frame = table.to_pandas()
    facts["first"] = shown(frame.head(1))
    frame["helpful_ratio"] = frame["helpful_votes"] / frame["total_votes"]
    facts["with ratio"] = shown(frame.head(1))
    frame = frame.drop(columns=DROPPED)
    facts["with columns dropped"] = shown(frame.head(1))
    facts["sorted"] = highest(frame)
    frame = frame[frame["total_votes"] < 100]
    facts["rows below 100"], facts["below 100"] = len(frame), highest(frame)
    frame = frame.assign(verdict=frame["helpful_ratio"].map(verdict))
    facts["judged"] = highest(frame)
    frame = frame[(frame["total_votes"] > 0) & (frame["marketplace"] == "US")]
    facts["rows in the end"] = len(frame)
    facts["means"] = str(frame.groupby("verdict")["star_rating"].mean().round(3)).splitlines()
    # `filter` makes its tables of rows, whose numbers are Python's: integers have 64 bits then, in Ray 2.4 too.
    want = frame.astype({name: "int64" for name in ("star_rating", "helpful_votes", "total_votes", "year")})
    compare_written(results, want)
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
