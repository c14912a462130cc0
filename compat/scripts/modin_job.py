"""The job of test_modin.py: a script for pandas with another import, and once more with pandas itself, which must give
the same."""

import os

import modin.pandas as pd
import pandas
import ray
from pandas.testing import assert_frame_equal

bucket = f"s3://{os.environ['bucket']}"


def same(what, got, want):
    assert isinstance(got, pd.DataFrame), type(got)
    assert_frame_equal(got.modin.to_pandas(), want)
    print(f"{what}: as with pandas, {len(want)} rows")


def node(_):
    return ray.get_runtime_context().get_node_id()


orders, plain_orders = (m.read_csv(f"{bucket}/in/orders.csv") for m in (pd, pandas))
same("read_csv", orders, plain_orders)
pandas.read_csv(f"{bucket}/in/customers.csv").to_parquet(f"{bucket}/in/customers.parquet")
customers, plain_customers = (m.read_parquet(f"{bucket}/in/customers.parquet") for m in (pd, pandas))
same("read_parquet", customers, plain_customers)

where = set(orders["order"].map(node))
workers = {n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")}
assert node(None) not in workers, "the driver is on the head, which offers no CPUs"
assert where and where <= workers, (where, workers)
print("partitions are on the job's workers:", len(where), "of", len(workers))


def by_customer(frame):
    return frame.groupby("customer", as_index=False).agg(orders=("order", "count"), amount=("amount", "sum"))


same("groupby", by_customer(orders), by_customer(plain_orders))


def by_country(frame, others):
    joined = frame[frame["amount"] >= 100].merge(others, on="customer", how="inner")
    joined["amount"] = joined["amount"].astype("int64")
    return joined.groupby("country")["amount"].sum().sort_index().reset_index()


merged, plain_merged = (f.merge(c, on="customer", how="left").sort_values("order", ignore_index=True)
                        for f, c in ((orders, customers), (plain_orders, plain_customers)))
same("merge", merged, plain_merged)
result = by_country(orders, customers)
same("filter, merge, groupby", result, by_country(plain_orders, plain_customers))

result.to_csv(f"{bucket}/out/countries.csv", index=False)
# A folder of files; a slash at its end would be two in their names.
merged.to_parquet(f"{bucket}/out/merged")
assert_frame_equal(pandas.read_parquet(f"{bucket}/out/merged").sort_values("order", ignore_index=True), plain_merged)
print("to_parquet: pandas reads the same")
