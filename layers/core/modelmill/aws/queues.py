"""Messages to the queues of the asynchronous functions."""

import json
from typing import Any

from modelmill.aws.faults import translated

MESSAGE_VERSION = 1


class JobMessages:
    """Implements `jobs.submit.JobQueue`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, tenant: str, job_id: str) -> None:
        """See `JobQueue`."""
        _send(self._client, self._url, {"version": MESSAGE_VERSION, "tenant": tenant, "job_id": job_id})


class UploadMessages:
    """Implements `jobs.sweep.UploadQueue`: the part of an S3 event that its consumer reads."""

    def __init__(self, client: Any, url: str, bucket: str) -> None:
        self._client = client
        self._url = url
        self._bucket = bucket

    def send(self, key: str) -> None:
        """See `UploadQueue`."""
        _send(self._client, self._url, {"detail": {"bucket": {"name": self._bucket}, "object": {"key": key}}})


def parse_job_message(body: str) -> tuple[str, str]:
    """Tenant and job id.

    Raises:
        ValueError: not such a message, or one of a newer version.
    """
    match json.loads(body):
        case {"version": version, "tenant": str(tenant), "job_id": str(job_id)} if version == MESSAGE_VERSION:
            return tenant, job_id
        case {"version": version}:
            raise ValueError(f"message version is {version!r}, this code reads {MESSAGE_VERSION} with a job")
    raise ValueError(f"{body[:200]!r} tells of no job")


def parse_upload_message(body: str, bucket: str) -> str | None:
    """The key in S3's event, or None for a message of another kind.

    Raises:
        ValueError: not a message at all, or the event is of another bucket.
    """
    message = json.loads(body)
    match message:
        case {"detail": {"bucket": {"name": str(name)}, "object": {"key": str(key)}}}:
            if name != bucket:
                raise ValueError(f"an object in {name!r} was created, this code reads those in {bucket!r}")
            return key
    return None


def _send(client: Any, url: str, message: dict[str, Any]) -> None:
    with translated("SQS"):
        client.send_message(QueueUrl=url, MessageBody=json.dumps(message))
