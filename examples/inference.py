"""Batch inference: a model that each actor loads once predicts for many batches.

It trains a scikit-learn model on the first files of a data set of flights (will one that has just left arrive more than
a quarter of an hour late?), puts it into S3, and predicts for all other files with Ray Data. `map_batches` is given a
class, so that its actors load the model when they start and not with each batch. Blocks stream from S3 through the
actors to S3, so that the data may be larger than the memory. scikit-learn is not in the runtime; the job asks for it.

    aws s3 cp examples/inference.py s3://work/
    aws glue create-job --name inference --role any --glue-version 4.0 --worker-type Z.2X --number-of-workers 2 \\
        --command Name=glueray,Runtime=Ray2.60,ScriptLocation=s3://work/inference.py \\
        --default-arguments '{"--input": "s3://work/flights", "--model": "s3://work/model.joblib",
                              "--output": "s3://work/predictions", "--pip-install": "scikit-learn==1.7.2"}'
    aws glue start-job-run --job-name inference

Job parameters, which a Ray job finds in its environment:
    --input    s3:// address of a folder with Parquet files of flights, a file for each month
    --model    s3:// address to put the trained model at
    --output   s3:// address of the folder for the predictions; what was there is replaced
    --actors   number of actors that predict, each with a model of its own; default 2

It prints how often the model was loaded and how often it was right, beside the same of the model without Ray.
"""

import os
import uuid

import joblib
import pandas as pd
import pyarrow as pa
import ray
from pyarrow.fs import FileSelector, FileSystem
from ray.data import ActorPoolStrategy
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

INPUT = os.environ["input"].rstrip("/")
MODEL = os.environ["model"]
OUTPUT = os.environ["output"]
ACTORS = int(os.environ.get("actors", 2))

TRAINING_FILES = 2
BATCH = 4096  # rows
NUMBERS = ["dep_delay", "distance", "hour", "month"]
CLASSES = ["carrier", "origin"]
FLIGHT = ["time_hour", "carrier", "flight", "origin", "dest", "arr_delay"]  # what says which flight it was


def late(flights):
    return flights["arr_delay"] > 15


def paths_of(folder):
    """The addresses of the Parquet files in a folder, in order."""
    files, path = FileSystem.from_uri(folder)
    found = files.get_file_info(FileSelector(path))
    return [f"{folder}/{name}" for name in sorted(f.base_name for f in found if f.extension == "parquet")]


def load_model():
    files, path = FileSystem.from_uri(MODEL)
    with files.open_input_file(path) as stream:
        return joblib.load(stream)


@ray.remote
def train(paths):
    """Trains the model and puts it into S3; the driver sees neither the flights nor the model."""
    flights = pd.concat(pd.read_parquet(path) for path in paths).dropna(subset=["arr_delay"])
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore", sparse_output=False), CLASSES),
                                     ("passthrough", NUMBERS))
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=50, random_state=0))
    model.fit(flights[CLASSES + NUMBERS], late(flights))
    files, path = FileSystem.from_uri(MODEL)
    with files.open_output_stream(path) as stream:
        joblib.dump(model, stream)
    return len(flights)


class Predictor:
    """Lives in an actor: the model is loaded when the actor starts, and used for all batches that it gets. Predictions
    say by which replica of the model and in which of its batches they were made, so that both can be counted."""

    def __init__(self):
        self.model = load_model()
        self.replica, self.batches = uuid.uuid4().hex, 0

    def __call__(self, batch: pa.Table) -> pd.DataFrame:
        flights = batch.to_pandas()  # Ray's own pandas batches have Arrow's types, which scikit-learn does not take
        self.batches += 1
        predicted = self.model.predict(flights[CLASSES + NUMBERS])
        return flights[FLIGHT].assign(predicted_late=predicted, replica=self.replica, batch=self.batches)


def count(batch: pa.Table) -> pd.DataFrame:
    """For each replica and batch the number of predictions, of those that can be checked, and of the right ones."""
    predictions = batch.to_pandas()
    known = predictions["arr_delay"].notna()
    right = known & (predictions["predicted_late"] == late(predictions))
    groups = predictions.assign(known=known, right=right).groupby(["replica", "batch"], as_index=False)
    return groups.agg(rows=("known", "size"), known=("known", "sum"), right=("right", "sum"))


@ray.remote
def accuracy_without_ray_data(paths):
    """To compare with: plain pandas and scikit-learn, in one process, with all rows in memory."""
    flights = pd.concat(pd.read_parquet(path) for path in paths).dropna(subset=["arr_delay"])
    return (load_model().predict(flights[CLASSES + NUMBERS]) == late(flights)).mean()


def main():
    ray.init("auto")
    ray.data.DataContext.get_current().enable_progress_bars = False  # they are made for a terminal
    paths = paths_of(INPUT)
    past, new = paths[:TRAINING_FILES], paths[TRAINING_FILES:]
    print(f"trained on {ray.get(train.remote(past)):,} flights: {MODEL}", flush=True)

    flights = ray.data.read_parquet(new).select_columns(sorted({*FLIGHT, *CLASSES, *NUMBERS}))
    flights = flights.repartition(target_num_rows_per_block=4 * BATCH)  # small files come as one block, for one actor
    predictions = flights.map_batches(
        Predictor, batch_format="pyarrow", batch_size=BATCH, compute=ActorPoolStrategy(size=ACTORS)
    )
    predictions.write_parquet(OUTPUT, mode="overwrite", min_rows_per_file=100_000)

    counts = ray.data.read_parquet(OUTPUT).map_batches(count, batch_format="pyarrow").to_pandas()
    sums = counts[["rows", "known", "right"]].sum()
    plain = ray.get(accuracy_without_ray_data.remote(new))
    accuracy = sums.right / sums.known
    print(f"accuracy {accuracy:.6f} in {sums.known:,} flights that arrived; plain scikit-learn: {plain:.6f}")
    batches = counts[["replica", "batch"]].drop_duplicates()
    print(f"{batches.replica.nunique()} loadings of the model for {len(batches)} batches")
    print(f"{sums.rows:,} predictions are in {OUTPUT}")


if __name__ == "__main__":
    main()
