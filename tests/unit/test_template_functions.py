"""Functions, layers, table and settings as the template declares them."""

from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from infra import layers
from infra.translated import TEMPLATE, translated
from modelmill import settings
from modelmill.aws import dynamodb
from tests.template_setup import EVERYTHING_ON, FUNCTIONS, Template, resolved

LAYERS_OF = {
    "Api": {"Core", "Control"},
    "Infer": {"Core", "Onnx"},
    "Ingest": {"Core", "Control", "Data"},
    "Dispatch": {"Core", "Control"},
    "Track": {"Core", "Control"},
    "Admit": {"Core", "Control", "Onnx", "Graph"},
}

INFER_ROUTES = {
    "/v1/models/{model}/predict": "post",
    "/v2": "x-amazon-apigateway-any-method",
    "/v2/{call+}": "x-amazon-apigateway-any-method",
}


@pytest.fixture(scope="module")
def template() -> Template:
    return resolved()


def source() -> dict[str, Any]:
    return dict(yaml_parse(TEMPLATE.read_text("utf-8")))


def sam_resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: body["Properties"] for name, body in source()["Resources"].items() if body["Type"] == kind}


def test_each_function_folder_is_declared_once() -> None:
    folders = [properties["CodeUri"] for properties in sam_resources("AWS::Serverless::Function").values()]

    assert sorted(folders) == sorted(f"functions/{name.lower()}" for name in FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_get_exactly_the_settings_that_they_read(template: Template, name: str) -> None:
    given = template[f"{name}Function"]["Environment"]["Variables"]

    wanted = {"MODELMILL_" + field.upper() for field in getattr(settings, f"{name}Settings")._fields}

    assert {variable for variable in given if variable.startswith("MODELMILL_")} == wanted
    assert given["POWERTOOLS_SERVICE_NAME"] == name.lower()
    assert given["AWS_ENDPOINT_URL"] == ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_can_read_their_settings_from_the_template(name: str) -> None:
    environment = resolved(EVERYTHING_ON)[f"{name}Function"]["Environment"]["Variables"]

    read = settings.read_settings(getattr(settings, f"{name}Settings"), environment)

    assert read.table == "Table"


def test_the_training_code_is_a_prefix_only_when_there_is_one(template: Template) -> None:
    given = resolved({"TrainingCodeHash": "a" * 64})["DispatchFunction"]["Environment"]["Variables"]

    assert given["MODELMILL_TRAINING_CODE"] == f"training/{'a' * 64}/"
    assert template["DispatchFunction"]["Environment"]["Variables"]["MODELMILL_TRAINING_CODE"] == ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_only_the_layers_that_they_need(template: Template, name: str) -> None:
    used = {layer.partition("Layer")[0] for layer in template[f"{name}Function"]["Layers"]}

    assert used == LAYERS_OF[name]
    assert template[f"{name}Function"]["Runtime"] == "python3.13"
    assert template[f"{name}Function"]["Architectures"] == ["x86_64"]


def test_the_gateway_waits_longer_than_the_functions_behind_it(template: Template) -> None:
    assert template["ApiFunction"]["Timeout"] < 30
    assert template["InferFunction"]["Timeout"] < 30


def test_what_costs_extra_is_off_by_default(template: Template) -> None:
    infer = template["InferFunction"]

    assert infer["SnapStart"] == {"ApplyOn": "None"}
    assert "ReservedConcurrentExecutions" not in infer
    assert {f["TracingConfig"]["Mode"] for f in template.of_type("AWS::Lambda::Function").values()} == {"PassThrough"}
    for kind in ("AWS::KMS::Key", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic", "AWS::IAM::ManagedPolicy"):
        assert not template.of_type(kind)


def test_snapstart_gets_what_it_can_take() -> None:
    infer = resolved({"SnapStart": "true"})["InferFunction"]

    assert infer["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert infer["EphemeralStorage"]["Size"] <= 512


def test_the_table_is_what_the_code_expects(template: Template) -> None:
    table = template["Table"]
    (index,) = table["GlobalSecondaryIndexes"]

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    assert index["IndexName"] == dynamodb.DUE_INDEX
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["due_shard", "due_at"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}["due_at"] == "N"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] == "true"


def test_data_outlives_a_mistake_with_the_stack(template: Template) -> None:
    for name in ("Table", "UploadsBucket", "StoreBucket"):
        assert template.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert template.resources[name]["UpdateReplacePolicy"] == "Retain"


def test_all_logs_end_some_day_and_each_function_has_its_own(template: Template) -> None:
    groups = template.of_type("AWS::Logs::LogGroup")

    assert set(groups) == {f"{name}LogGroup" for name in (*FUNCTIONS, "Http")}
    assert {group["RetentionInDays"] for group in groups.values()} == {"30"}
    for name in FUNCTIONS:
        assert template[f"{name}Function"]["LoggingConfig"] == {"LogGroup": f"{name}LogGroup"}


def test_prediction_goes_to_infer_and_all_else_to_api(template: Template) -> None:
    paths = template["HttpApi"]["Body"]["paths"]

    assert set(paths) == {"$default", *INFER_ROUTES}
    assert (
        "ApiFunction.Arn"
        in paths["$default"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]["uri"]
    )
    for path, method in INFER_ROUTES.items():
        assert set(paths[path]) == {method}
        integration = paths[path][method]["x-amazon-apigateway-integration"]
        assert "InferFunctionAliaslive" in integration["uri"]
        assert integration["payloadFormatVersion"] == "2.0"


def versions(changes: dict[str, str]) -> list[str]:
    """Logical ids of `infer`'s versions when the code of some resources lies at these addresses."""
    document = source()
    for name, body in document["Resources"].items():
        for key in ("CodeUri", "ContentUri"):
            if key in body.get("Properties", {}):
                body["Properties"][key] = changes.get(name, f"s3://bucket/{name}")
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    resources = translator.translate(document, {"SnapStart": "true"})["Resources"]
    return [name for name, body in resources.items() if body["Type"] == "AWS::Lambda::Version"]


@pytest.mark.parametrize("changed", ["CoreLayer", "OnnxLayer", "InferFunction"])
def test_another_layer_or_function_package_publishes_another_version(changed: str) -> None:
    (before,), (same,), (after,) = versions({}), versions({}), versions({changed: "s3://bucket/other"})

    assert same == before
    assert after != before


def test_a_version_goes_with_its_snapshot_when_the_next_one_comes() -> None:
    (version,) = [body for body in translated()["Resources"].values() if body["Type"] == "AWS::Lambda::Version"]

    assert version["DeletionPolicy"] == "Delete"
    # A changed description replaces the version, so it names what changes the function from outside its code.
    for parameter in ("SnapStart", "LogLevel", "MaxMonthlyPredictions"):
        assert f"${{{parameter}}}" in version["Properties"]["Description"]["Fn::Sub"]


def test_layers_hold_what_the_lock_file_says() -> None:
    stale = [str(path) for path, text in layers.files().items() if path.read_text("utf-8") != text]

    assert not stale, "run `python infra/layers.py`"


def test_layers_are_built_by_one_recipe() -> None:
    for name in layers.LAYERS:
        text = (layers.ROOT / "layers" / name / "Makefile").read_text("utf-8")
        assert text.endswith(f"include ../layer.mk\n\nbuild-{name.title()}Layer:\n\t$(build-layer)\n")
