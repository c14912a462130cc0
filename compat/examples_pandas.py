"""What the examples have written to S3, against what plain pandas and NumPy make of the same data. test_examples.py
runs it in the runtime's Python: the example's name is the argument; a difference is an AssertionError, and facts that
the job must have printed are printed as JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow.fs import FileSystem
from pyarrow.parquet import read_table

sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
import example_data
import sources_data

BUCKET = "s3://work"
FLIGHT = ["time_hour", "carrier", "flight", "origin"]  # no two flights have all of these in common


def data_set(name):
    """The rows of a folder with Parquet files."""
    files, path = FileSystem.from_uri(f"{BUCKET}/{name}")
    return read_table(path, filesystem=files).to_pandas()


def transforms(tables):
    """The weather and the years are looked up one by one, not joined."""
    flights = tables["flights"]
    left = flights[flights["dep_time"].notna()].copy()
    weather = tables["weather"].set_index(["origin", "time_hour"]).to_dict("index")
    seen = [weather.get(hour, {}) for hour in zip(left["origin"], left["time_hour"])]
    for column in ("temp", "wind_speed", "precip", "visib"):
        left[column] = [hour.get(column, np.nan) for hour in seen]
    left["plane_age"] = left["year"] - left["tailnum"].map(tables["planes"].set_index("tailnum")["year"])
    months = []
    for month, expected in left.groupby("month"):
        found, expected = data_set(f"transformed/2013-{month:02}.parquet"), expected.reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_like=True, obj=f"month {month}")
        months.append(f"2013-{month:02}.parquet: {len(expected):,} of {(flights['month'] == month).sum():,} flights")
    delays = {}
    for name, above, to in [("to 1", -1, 1), ("to 3", 1, 3), ("to 9", 3, 9), ("to 10", 9, 10)]:
        delays[name] = round(left["dep_delay"][(left["visib"] > above) & (left["visib"] <= to)].mean(), 1)
    return {"read": len(flights), "written": len(left), "months": months, "delays": delays}


def pool(tables):
    """Distances by the angle between vectors from the centre of the Earth."""
    airports = tables["airports"]
    lat, lon = np.radians(airports["lat"].to_numpy()), np.radians(airports["lon"].to_numpy())
    at = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    kilometres = np.array([np.arctan2(np.linalg.norm(np.cross(a, at), axis=1), at @ a) for a in at]) * 6371.0088
    order = {code: i for i, code in enumerate(airports["faa"])}

    found = pd.read_csv(f"{BUCKET}/nearest.csv", keep_default_na=False)
    assert list(found.columns) == ["airport", "neighbour", "km"]
    assert list(found["airport"]) == list(np.repeat(airports["faa"], 3)), "three for each airport, in order"
    assert (found["airport"] != found["neighbour"]).all() and not found.duplicated(["airport", "neighbour"]).any()
    asked, answered = found["airport"].map(order), found["neighbour"].map(order)
    np.testing.assert_allclose(found["km"], kilometres[asked, answered], atol=0.001)
    np.testing.assert_allclose(found["km"], np.sort(kilometres, axis=1)[:, 1:4].ravel(), atol=0.001)
    return {"airports": len(airports)}


def sources(tables):
    """The rows that the sources were made of."""
    made = sources_data.make(tables["flights"])
    expected = pd.concat(s.rows.assign(source=f"{BUCKET}/{s.key}") for s in made if not s.fault)
    expected["scheduled"] = expected["scheduled"].dt.as_unit("us")
    key = ["source", "scheduled", "carrier", "flight", "origin"]
    found, expected = (rows.sort_values(key, ignore_index=True) for rows in (data_set("arrived"), expected))
    pd.testing.assert_frame_equal(found, expected, check_like=True)
    return {"rows": len(expected), "faults": {f"{BUCKET}/{s.key}": s.fault for s in made if s.fault}}


def inference(tables):
    """The right answers, from the flights themselves."""
    flights = tables["flights"][tables["flights"]["month"] > 2]
    predictions = data_set("predictions")
    assert len(predictions) == len(flights)
    both = flights.merge(predictions[[*FLIGHT, "predicted_late"]], on=FLIGHT, validate="one_to_one")
    assert len(both) == len(flights), "one prediction for each flight"
    both = both[both["arr_delay"].notna()]
    late = both["arr_delay"] > 15
    return {"rows": len(predictions), "known": len(both), "accuracy": f"{(both['predicted_late'] == late).mean():.6f}",
            "never": (~late).mean(), "loadings": predictions["replica"].nunique(),
            "batches": len(predictions[["replica", "batch"]].drop_duplicates())}


if __name__ == "__main__":
    check = {"transforms": transforms, "pool": pool, "sources": sources, "inference": inference}[sys.argv[1]]
    print(json.dumps(check(example_data.tables(note=lambda line: print(line, file=sys.stderr)))))
