"""The template's map of training images is complete, by the data that SageMaker's SDK ships."""

import json
from importlib.metadata import files

from infra.translated import translated

VERSION = "2.21.0"


def test_every_region_with_an_image_is_in_the_map() -> None:
    # given the SDK's data, read as a file because the SDK takes seconds to import
    (data,) = [file for file in files("sagemaker-core") or () if file.match("image_uri_config/tensorflow.json")]
    registries = json.loads(data.read_text("utf-8"))["training"]["versions"][VERSION]["registries"]

    # when the isolated partitions, which have no HTTP APIs, are left out
    published = {region: account for region, account in registries.items() if "-iso" not in region}

    mapped = {region: row["Account"] for region, row in translated()["Mappings"]["TrainingImages"].items()}
    assert mapped == published
