"""The demo's first part: flights, in the API of today's Ray."""

import tempfile
from pathlib import Path

import pandas as pd
from demo_data import load_flights

TITLE = "1. Flights, in the API of today's Ray (examples/flights.py)"


def show(jobs):
    with tempfile.TemporaryDirectory(prefix="remora-demo-data-") as folder:
        rows, files = load_flights(Path(folder), jobs.screen.note)
        size = jobs.upload(files, "flights/")
    jobs.screen.note(f"{rows:,} flights in {len(files)} Parquet files ({size / 1e6:.1f} MB) are in s3://{jobs.bucket}/flights/")
    run = jobs.run("flights", "flights.py", "Ray2.60", {
        "--input": f"s3://{jobs.bucket}/flights/",
        "--output": f"s3://{jobs.bucket}/result/",
    })
    flights = pd.concat(pd.read_parquet(file) for file in jobs.results("result/"))
    jobs.screen.print(f"\n{len(flights):,} long flights from JFK, by airline:\n\n{by_airline(flights).to_string()}\n")
    jobs.bill(run)


def by_airline(flights):
    by = flights.groupby("carrier")
    table = pd.DataFrame({
        "flights": by.size(),
        "mean delay (min)": by["arr_delay"].mean().round(1),
        "delay / air time": by["delay_ratio"].mean().round(3),
        "very late": by["grade"].apply(lambda g: f"{(g == 'very late').mean():.1%}"),
    })
    return table.sort_values("flights", ascending=False)
