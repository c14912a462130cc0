"""The demo's second part: the launch walkthrough on synthetic product reviews, in the API of Ray 2.4."""

import tempfile

import pandas as pd
from reviews_data import CATEGORY, write_reviews

TITLE = "2. The launch walkthrough, in the API of Ray 2.4 (examples/reviews_walkthrough.py)"

# The script's actor pool gets batches of 4 rows, which cost about 2 ms each: half a minute on 2 cores.
ROWS = 30_000

READERS = {"parquet": pd.read_parquet, "csv": pd.read_csv, "json": lambda file: pd.read_json(file, lines=True)}


def show(jobs):
    folder = f"reviews/product_category={CATEGORY}/"
    with tempfile.TemporaryDirectory(prefix="remora-demo-data-") as local:
        files = write_reviews(local, ROWS)
        size = jobs.upload(files, folder)
    jobs.screen.note(f"{ROWS:,} synthetic reviews in {len(files)} Parquet files ({size / 1e6:.1f} MB) are in "
                     f"s3://{jobs.bucket}/{folder}")
    run = jobs.run("reviews-walkthrough", "reviews_walkthrough.py", "Ray2.4", {
        "--input": f"s3://{jobs.bucket}/{folder}",
        "--output": f"s3://{jobs.bucket}/walkthrough/",
    })
    written = {name: pd.concat(map(read, jobs.results(f"walkthrough/{name}/"))) for name, read in READERS.items()}
    rows = ", ".join(f"{len(frame):,} as {name}" for name, frame in written.items())
    jobs.screen.print(f"\nUS reviews with 1 to 99 votes, written three times ({rows}), by what others thought of them:\n\n"
                      f"{by_verdict(written['parquet']).to_string()}\n")
    jobs.bill(run)


def by_verdict(reviews):
    by = reviews.groupby("verdict")
    return pd.DataFrame({
        "reviews": by.size(),
        "mean stars": by["star_rating"].mean().round(2),
        "mean votes": by["total_votes"].mean().round(1),
    }).sort_values("reviews", ascending=False)
