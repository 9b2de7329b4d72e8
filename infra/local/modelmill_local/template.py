"""Reads template.yaml as the local cloud needs it: translated by SAM's own translator, then resolved."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelmill_local.intrinsics import ACCOUNT, REGION, Resolver, TemplateError

log = logging.getLogger(__name__)

CODE_BUCKET = "local"
KEPT = frozenset(
    {"AWS::DynamoDB::Table", "AWS::Events::Rule", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SQS::Queue"}
)
_FUNCTION = "AWS::Lambda::Function"
_PATHLESS = {"AWS::S3::Bucket": "s3:::{}", "AWS::SQS::Queue": f"sqs:{REGION}:{ACCOUNT}:{{}}"}
_ARNS = _PATHLESS | {
    "AWS::DynamoDB::Table": f"dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    "AWS::Events::Rule": f"events:{REGION}:{ACCOUNT}:rule/{{}}",
    "AWS::IAM::Role": f"iam::{ACCOUNT}:role/{{}}",
    "AWS::KMS::Key": f"kms:{REGION}:{ACCOUNT}:key/{{}}",
    _FUNCTION: f"lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Logs::LogGroup": f"logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
    "AWS::SNS::Topic": f"sns:{REGION}:{ACCOUNT}:{{}}",
}
_NAME_PROPERTIES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}


@dataclass(frozen=True)
class Resource:
    """A resource of the template, resolved; `name` is its physical name."""

    logical_id: str
    type: str
    name: str
    arn: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Stack:
    """What the template says, with every reference resolved to the local stack."""

    resources: dict[str, Resource]
    dropped: dict[str, str] = field(default_factory=dict)

    def of_type(self, kind: str) -> Iterator[Resource]:
        """The resources of one type, in the template's order."""
        return (resource for resource in self.resources.values() if resource.type == kind)

    def by_arn(self, arn: str) -> Resource | None:
        """The resource with that ARN, or a Lambda alias's function."""
        return next((r for r in self.resources.values() if r.arn == arn or arn.startswith(f"{r.arn}:")), None)


class _Names:
    """Fixed local names, so that a restart finds its data under them."""

    def __init__(self, stack: str, endpoint: str, resources: Mapping[str, Any]) -> None:
        self._stack = stack
        self._endpoint = endpoint
        self._resources = resources
        self.resolver: Resolver | None = None

    def name(self, logical_id: str) -> str:
        """The physical name: the template's own where it gives one."""
        body = self._resources[logical_id]
        given = body.get("Properties", {}).get(_NAME_PROPERTIES.get(body["Type"], ""))
        if given is not None and self.resolver is not None:
            return str(self.resolver.resolve(given))
        name = f"{self._stack}-{logical_id}"
        return name.lower() if body["Type"] == "AWS::S3::Bucket" else name

    def ref(self, logical_id: str) -> str:
        kind = self._type(logical_id)
        if kind == "AWS::Lambda::Alias":
            alias = self._resources[logical_id]["Properties"]
            return f"{self.arn(alias['FunctionName']['Ref'])}:{alias['Name']}"
        if kind == "AWS::SQS::Queue":
            return f"{self._endpoint}/{ACCOUNT}/{self.name(logical_id)}"
        return self.arn(logical_id) if kind == "AWS::SNS::Topic" else self.name(logical_id)

    def attribute(self, logical_id: str, name: str) -> str:
        kind = self._type(logical_id)
        if name == "Arn":
            return self.arn(logical_id)
        if kind == "AWS::SQS::Queue" and name in ("QueueName", "QueueUrl"):
            return self.name(logical_id) if name == "QueueName" else self.ref(logical_id)
        return f"{self.name(logical_id)}.{name}"

    def arn(self, logical_id: str) -> str:
        pattern = _ARNS.get(self._type(logical_id), "local:::{}")
        return "arn:aws:" + pattern.format(self.name(logical_id))

    def _type(self, logical_id: str) -> str:
        if logical_id not in self._resources:
            raise TemplateError(f"the template refers to {logical_id}, which it does not declare")
        return str(self._resources[logical_id]["Type"])


def load(path: Path, parameters: Mapping[str, str], stack: str, endpoint: str) -> Stack:
    """Translate and resolve the template at `path`. Raises: TemplateError, OSError."""
    translated = translate(path, parameters)
    names = _Names(stack, endpoint, translated["Resources"])
    resolver = names.resolver = Resolver(translated, parameters, stack, names)
    resources: dict[str, Resource] = {}
    dropped: dict[str, str] = {}
    for logical_id, body in translated["Resources"].items():
        if "Condition" in body and not resolver.holds(body["Condition"]):
            continue
        if body["Type"] not in _WANTED:
            dropped[logical_id] = body["Type"]
            continue
        properties = resolver.resolve(body.get("Properties", {}))
        name, arn = names.name(logical_id), names.arn(logical_id)
        resources[logical_id] = Resource(logical_id, body["Type"], name, arn, properties)
    log.info("not simulated: %s", ", ".join(f"{name} ({kind})" for name, kind in sorted(dropped.items())))
    return Stack(resources, dropped)


def translate(path: Path, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The CloudFormation form of a SAM template.

    The translator puts parameters into some places itself, so it needs those that differ from their defaults.

    Raises: TemplateError, OSError.
    """
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    source = yaml_parse(path.read_text("utf-8"))
    if not isinstance(source, dict) or "Resources" not in source:
        raise TemplateError(f"{path} is not a CloudFormation template")
    _detach_code(source)
    try:
        session = boto3.Session(region_name=REGION)
        translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=session)
        translated = translator.translate(source, dict(parameters or {}))
    except InvalidDocumentException as error:
        raise TemplateError(f"{path}: {error.message}") from error
    return dict(translated)


def _detach_code(source: dict[str, Any]) -> None:
    """Point every local code folder at a pretended bucket, which the translator takes without uploading."""
    for body in source["Resources"].values():
        for key in ("CodeUri", "ContentUri"):
            uri = body.get("Properties", {}).get(key)
            if isinstance(uri, str) and not uri.startswith("s3://"):
                body["Properties"][key] = f"s3://{CODE_BUCKET}/{uri.removeprefix('./').rstrip('/')}"


_WANTED = KEPT | {_FUNCTION, "AWS::Lambda::EventSourceMapping", "AWS::ApiGatewayV2::Api"}
