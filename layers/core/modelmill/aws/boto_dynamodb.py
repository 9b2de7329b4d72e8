"""DynamoDB through boto3."""

from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from modelmill.aws.faults import status_of, translated
from modelmill.aws.refusals import Refused


class BotoDynamoDB:
    """Implements `dynamodb.Calls` with a boto3 client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """See `Calls`."""
        try:
            with translated("DynamoDB"):
                answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**request)
        except ClientError as error:
            code, answer = error.response["Error"]["Code"], dict(error.response)
            raise Refused("DynamoDB", code, status_of(error), answer) from error
        return answer
