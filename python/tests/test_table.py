"""The section on Ray 2.4 of docs/COMPATIBILITY.md: what it promises is there, and it leaves no name of Ray 2.4 out."""

import inspect
import pathlib
import re

import pytest
import ray.data
import ray.data.datasource
from ray.data.dataset_iterator import DatasetIterator
from ray.data.grouped_dataset import GroupedDataset

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "COMPATIBILITY.md"
STATES = ("whole", "partial", "warns", "missing")

# What was public in Ray 2.4.0, from the source of its wheel.
NAMES = {
    "ray.init": """
        address num_cpus num_gpus resources object_store_memory local_mode ignore_reinit_error include_dashboard
        dashboard_host dashboard_port job_config configure_logging logging_level logging_format log_to_driver
        namespace runtime_env storage""",
    "ray.data": """
        ActorPoolStrategy Dataset DatasetContext DatasetIterator DatasetPipeline Datasource ExecutionOptions
        ExecutionResources Preprocessor ReadTask from_arrow from_arrow_refs from_dask from_huggingface from_items
        from_mars from_modin from_numpy from_numpy_refs from_pandas from_pandas_refs from_spark from_tf from_torch
        range range_arrow range_table range_tensor read_binary_files read_csv read_datasource read_images read_json
        read_mongo read_numpy read_parquet read_parquet_bulk read_sql read_text read_tfrecords read_webdataset
        set_progress_bars""",
    "Arguments of readers, writers and iterators": """
        arrow_open_file_args block_path_provider errors meta_provider output_arrow_format parallelism
        partition_filter prefetch_blocks""",
    "Dataset": """
        add_column aggregate copy count dataset_format default_batch_format deserialize_lineage drop_columns filter
        flat_map fully_executed get_internal_block_refs groupby has_serializable_lineage input_files
        is_fully_executed iter_batches iter_rows iter_tf_batches iter_torch_batches iterator lazy limit map
        map_batches materialize max mean min num_blocks random_sample random_shuffle randomize_block_order
        repartition repeat schema select_columns serialize_lineage show size_bytes sort split split_at_indices
        split_proportionately stats std streaming_split sum take take_all to_arrow_refs to_dask to_mars to_modin
        to_numpy_refs to_pandas to_pandas_refs to_random_access_dataset to_spark to_tf to_torch train_test_split
        union window write_csv write_datasource write_json write_mongo write_numpy write_parquet write_tfrecords
        write_webdataset zip""",
    "GroupedDataset": "aggregate count map_groups max mean min std sum",
    "DatasetIterator": """
        iter_batches iter_epochs iter_rows iter_tf_batches iter_torch_batches schema stats to_tf to_torch""",
    "DatasetPipeline": """
        add_column count dataset_format drop_columns filter flat_map foreach_window from_iterable iter_batches
        iter_datasets iter_epochs iter_rows iter_tf_batches iter_torch_batches iterator map map_batches
        random_shuffle_each_window randomize_block_order_each_window repartition_each_window repeat rewindow schema
        select_columns show show_windows sort_each_window split split_at_indices stats sum take take_all to_tf
        to_torch write_csv write_datasource write_json write_parquet write_tfrecords""",
    "DatasetContext": """
        actor_prefetcher_enabled block_splitting_enabled decoding_size_estimation eager_free enable_auto_log_stats
        enable_pandas_block enable_tensor_extension_casting execution_options min_parallelism new_execution_backend
        optimize_fuse_read_stages optimize_fuse_shuffle_stages optimize_fuse_stages optimize_reorder_stages
        optimizer_enabled pipeline_push_based_shuffle_reduce_tasks scheduling_strategy streaming_read_buffer_size
        target_max_block_size target_min_block_size trace_allocations use_legacy_iter_batches use_polars
        use_push_based_shuffle use_ray_tqdm use_streaming_executor""",
    "ray.data.datasource": """
        BaseFileMetadataProvider BinaryDatasource BlockWritePathProvider CSVDatasource Connection Datasource
        DefaultBlockWritePathProvider DefaultFileMetadataProvider DefaultParquetMetadataProvider
        DummyOutputDatasource FastFileMetadataProvider FileBasedDatasource FileExtensionFilter FileMetadataProvider
        ImageDatasource JSONDatasource MongoDatasource NumpyDatasource ParquetBaseDatasource ParquetDatasource
        ParquetMetadataProvider PartitionStyle Partitioning PathPartitionEncoder PathPartitionFilter
        PathPartitionParser RandomIntRowDatasource RangeDatasource ReadTask Reader SQLDatasource TFRecordDatasource
        TextDatasource WebDatasetDatasource WriteResult""",
}


def table():
    """Names and their states by the headings of the section."""
    section = DOCUMENT.read_text().partition("\n## Ray 2.4\n")[2].partition("\n## ")[0]
    found = {}
    for part in section.split("\n### ")[1:]:
        heading, _, text = part.partition("\n")
        names = found[heading] = {}
        for cells, state in re.findall(r"^\| (`.*?`) \| (\w+) \|", text, re.MULTILINE):
            assert state in STATES, (heading, state)
            for name in re.findall(r"`(\w+)`", cells):
                assert name not in names, f"{heading} has {name} twice"
                names[name] = state
    return found


def has(heading, name):
    """Whether a name of Ray 2.4 can be used."""
    from remora.compat.ray24 import context, core, readers, tables

    if heading == "ray.init":
        return name in core._GONE or name in inspect.signature(ray.init).parameters
    if heading == "DatasetContext":
        return name in context._GONE or hasattr(ray.data.DatasetContext.get_current(), name)
    if heading.startswith("Arguments"):
        # What is taken and dealt with; the tests of readers and writers use it.
        taken = {"parallelism", "output_arrow_format", "block_path_provider", "partition_filter"}
        return name in taken | readers._GONE.keys() | tables.PREFETCH.keys()
    objects = {
        "ray.data": ray.data,
        "ray.data.datasource": ray.data.datasource,
        "Dataset": ray.data.Dataset,
        "DatasetPipeline": ray.data.DatasetPipeline,
        "DatasetIterator": DatasetIterator,
        "GroupedDataset": GroupedDataset,
    }
    return hasattr(objects[heading], name)


def test_headings():
    assert list(table()) == list(NAMES)


@pytest.mark.parametrize("heading", NAMES)
def test_no_name_is_left_out(heading):
    assert not set(NAMES[heading].split()) - set(table()[heading])


@pytest.mark.parametrize("heading", NAMES)
def test_states(heading):
    for name, state in table()[heading].items():
        assert has(heading, name) == (state != "missing"), f"{heading} {name} is said to be {state}"


def test_what_warns(notices):
    """Names in the table warn when they are used, as far as they can be used alone."""
    context = ray.data.DatasetContext.get_current()
    for name, state in table()["DatasetContext"].items():
        notices._seen.clear()
        if state == "warns":
            with pytest.warns(notices.RayAPIWarning, match=name):
                setattr(context, name, False)
