"""Synthetic product reviews, in the shape of the Amazon reviews that were public as Parquet files.

The 15 columns, their types and the folder of a product category are those of the public data; every value is made up by
a seeded generator. Products, texts and people do not exist, and nothing can be learned from the numbers. What is kept of
reality is the shape of the distributions: few products have most of the reviews, few reviews have most of the votes, five
stars are the most frequent, and most reviews come from one marketplace.

The same number of rows and the same seed give the same values. Rows are made in chunks, so that any number of them fits
in memory. On the command line, with numpy and pyarrow (`$(bin/remora runtime build Ray2.60)` is a Python that has them):

    python examples/reviews_data.py --rows 200000 --out DIR
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CATEGORY = "Video_Games"
SEED = 2023
FILES = 10  # as each category of the public data had
CHUNK = 50_000  # rows that are made at once, and a row group

SCHEMA = pa.schema([
    ("marketplace", pa.string()),
    ("customer_id", pa.string()),
    ("review_id", pa.string()),
    ("product_id", pa.string()),
    ("product_parent", pa.string()),
    ("product_title", pa.string()),
    ("star_rating", pa.int32()),
    ("helpful_votes", pa.int32()),
    ("total_votes", pa.int32()),
    ("vine", pa.string()),
    ("verified_purchase", pa.string()),
    ("review_headline", pa.string()),
    ("review_body", pa.string()),
    ("review_date", pa.date32()),
    ("year", pa.int32()),
])

MARKETPLACES = (["US", "UK", "JP", "DE", "FR"], [0.88, 0.06, 0.025, 0.02, 0.015])
STARS = ([1, 2, 3, 4, 5], [0.11, 0.05, 0.08, 0.17, 0.59])
FIRST_DAY, LAST_DAY = np.datetime64("1999-11-14"), np.datetime64("2015-08-31")

ADJECTIVES = ["Amber", "Broken", "Crystal", "Distant", "Endless", "Frozen", "Golden", "Hollow", "Iron", "Jade", "Last",
              "Midnight", "Northern", "Painted", "Quiet", "Rusty", "Silver", "Tidal", "Velvet", "Wandering"]
NOUNS = ["Archipelago", "Beacon", "Caravan", "Dynasty", "Expedition", "Foundry", "Garden", "Harbour", "Labyrinth",
         "Meridian", "Orchard", "Paddock", "Railway", "Speedway", "Tournament", "Vineyard", "Workshop"]
EDITIONS = ["", "", "", " II", " III", " (Collector's Edition)", ": Official Guide", " Controller", " Headset"]
HEADLINES = {1: ["Do not buy", "Broke within a week"], 2: ["Expected more", "Not for me"], 3: ["It is okay", "Mixed"],
             4: ["Good, with small flaws", "Fun"], 5: ["Five stars", "Excellent", "Best one this year"]}
PRAISE = ["It works as described.", "My children play it every evening.", "The music alone is worth the price.",
          "Arrived two days early.", "I would buy it again.", "Controls are precise and easy to learn."]
BLAME = ["It stopped working after the second level.", "The disc was scratched.", "Loading takes far too long.",
         "I sent it back.", "The manual is missing.", "Not worth the money."]
ALPHABET = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype="S1")


def write_reviews(folder, rows, seed=SEED, category=CATEGORY):
    """Writes `rows` reviews below `folder`, into up to FILES files in the category's folder; returns the files."""
    target = Path(folder) / f"product_category={category}"
    target.mkdir(parents=True, exist_ok=True)
    files = []
    bounds = np.linspace(0, rows, min(FILES, max(1, rows)) + 1).astype(int)
    for number, (start, end) in enumerate(zip(bounds, bounds[1:])):
        files.append(target / f"part-{number:05}.snappy.parquet")
        with pq.ParquetWriter(files[-1], SCHEMA, compression="snappy") as writer:
            for first in range(start, end, CHUNK):
                writer.write_table(reviews(first, min(CHUNK, end - first), rows, seed))
    return files


def reviews(first, count, rows, seed):
    """The table of `count` reviews from number `first` on, of a data set of `rows`."""
    rng = np.random.default_rng([seed, rows, first])
    product = (max(1, rows // 40) * rng.random(count) ** 3).astype(np.int64)
    stars = rng.choice(STARS[0], count, p=STARS[1])
    helpful, total = votes(rng, stars)
    dates = LAST_DAY - ((LAST_DAY - FIRST_DAY).astype(int) * rng.random(count) ** 1.8).astype("timedelta64[D]")
    columns = [
        rng.choice(MARKETPLACES[0], count, p=MARKETPLACES[1]),
        (10_000_000 + (max(1, rows // 2) * rng.random(count) ** 2).astype(np.int64)).astype(str),
        codes("R", scatter(first + np.arange(count)), 13),
        codes("B00", scatter(product), 7),
        (100_000_000 + scatter(product) % 900_000_000).astype(str),
        titles(product),
        stars,
        helpful,
        total,
        np.where(rng.random(count) < 0.003, "Y", "N"),
        np.where(rng.random(count) < 0.65, "Y", "N"),
        *texts(rng, stars),
        dates,
        dates.astype("datetime64[Y]").astype(int) + 1970,
    ]
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, SCHEMA)], schema=SCHEMA)


def votes(rng, stars):
    """Helpful and total votes: none for most reviews, thousands for a few; good reviews are found helpful more often."""
    total = np.where(rng.random(len(stars)) < 0.55, 0, np.minimum(rng.zipf(1.9, len(stars)), 5000))
    return rng.binomial(total, rng.beta(1 + stars, 2)), total


def texts(rng, stars):
    """Headlines and bodies that go with the stars; bodies have up to some dozens of sentences."""
    headlines = [HEADLINES[s][i % len(HEADLINES[s])] for s, i in zip(stars.tolist(), rng.integers(0, 6, len(stars)).tolist())]
    lengths = np.minimum(1 + rng.lognormal(0.7, 0.9, len(stars)), 60).astype(int)
    praises = np.repeat(rng.random(len(stars)) < stars / 5, lengths)
    picks = rng.integers(0, len(PRAISE), lengths.sum())
    sentences = np.where(praises, np.array(PRAISE)[picks], np.array(BLAME)[picks]).tolist()
    ends = np.cumsum(lengths).tolist()
    return headlines, [" ".join(sentences[end - n:end]) for n, end in zip(lengths.tolist(), ends)]


def titles(product):
    parts, rest = [], product
    for words in (ADJECTIVES, NOUNS, EDITIONS):
        parts.append(np.array(words)[rest % len(words)])
        rest = rest // len(words)
    return [f"{a} {n}{e}" + (f", Volume {v + 1}" if v else "") for a, n, e, v in zip(*parts, rest.tolist())]


def scatter(numbers):
    """Distinct numbers below 2**36 for distinct numbers below 2**36: an odd factor is invertible."""
    return (numbers * 40_503_497_801) % 2**36


def codes(prefix, numbers, digits):
    """Numbers in base 36 with leading zeros, after a prefix."""
    powers = 36 ** np.arange(digits - 1, -1, -1, dtype=np.int64)
    text = ALPHABET[numbers[:, None] // powers % 36].view(f"S{digits}")[:, 0]
    return np.char.add(prefix, text.astype(str))


def main():
    parser = argparse.ArgumentParser(description="Writes synthetic product reviews as Parquet files.")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--out", required=True, help="folder to write below")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--category", default=CATEGORY)
    options = parser.parse_args()
    if options.rows < 0:
        parser.error(f"--rows is {options.rows}, must not be negative")
    files = write_reviews(options.out, options.rows, options.seed, options.category)
    size = sum(f.stat().st_size for f in files)
    print(f"{options.rows:,} synthetic reviews in {len(files)} files ({size / 1e6:.1f} MB) are in {files[0].parent}")


if __name__ == "__main__":
    main()
