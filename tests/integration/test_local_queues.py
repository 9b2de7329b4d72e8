"""Event sources deliver as Lambda's do: batches, partial failures, dead letters."""

import json
import time

import pytest

from modelmill_local.event_sources import EventSource, Poller, failed_items
from modelmill_local.instance import Outcome
from modelmill_local.schedules import Schedule, Tick


class Consumer:
    """Remembers the batches that it got and answers as told."""

    def __init__(self, answer=lambda records: None) -> None:
        self.batches: list[list[dict]] = []
        self.answer = answer

    def invoke(self, event: bytes) -> Outcome:
        records = json.loads(event)["Records"]
        self.batches.append(records)
        answer = self.answer(records)
        return answer if isinstance(answer, Outcome) else Outcome(json.dumps(answer).encode())

    @property
    def bodies(self) -> list[list[str]]:
        return [[record["body"] for record in batch] for batch in self.batches]


def failures(*records):
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}


@pytest.fixture
def queue(aws, request):
    """A queue that gives a message up after two tries, and its dead letters."""
    sqs = aws.client("sqs")
    name = request.node.name.replace("[", "-").replace("]", "")[:60]
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive})["QueueUrl"]
    return url, dead


def poller(aws, queue, consumer, **settings):
    return Poller(
        EventSource(queue[0], "arn:aws:sqs:us-east-1:123456789012:q", consumer, **settings), aws.client("sqs")
    )


def send(aws, queue, *bodies):
    for body in bodies:
        aws.client("sqs").send_message(QueueUrl=queue[0], MessageBody=body)


def waiting(aws, url) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def test_a_batch_has_lambdas_form_and_is_deleted_when_done(aws, queue):
    consumer = Consumer()
    send(aws, queue, "a", "b", "c")
    assert poller(aws, queue, consumer, batch_size=2).poll(0) == 2
    record = consumer.batches[0][0]
    assert set(record) == {
        *("messageId", "receiptHandle", "body", "attributes", "messageAttributes"),
        *("md5OfBody", "eventSource", "eventSourceARN", "awsRegion"),
    }
    assert record["eventSource"] == "aws:sqs"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert waiting(aws, queue[0]) == 1


def test_only_the_failed_messages_come_again_and_end_as_dead_letters(aws, queue):
    consumer = Consumer(lambda records: failures(*(record for record in records if record["body"] == "poison")))
    source = poller(aws, queue, consumer, partial=True)
    send(aws, queue, "good", "poison")
    deadline = time.monotonic() + 10
    while waiting(aws, queue[0]) and time.monotonic() < deadline:
        source.poll(1)
    assert sorted(body for batch in consumer.bodies for body in batch) == ["good", "poison", "poison"]
    assert waiting(aws, queue[1]) == 1


def test_a_failed_invocation_keeps_the_whole_batch(aws, queue):
    consumer = Consumer(lambda records: Outcome(b"{}", failed=True))
    send(aws, queue, "a", "b")
    poller(aws, queue, consumer).poll(0)
    assert waiting(aws, queue[0]) == 2


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (b"null", set()),
        (b"", set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "1"}]}', {"1"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"1", "2"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', {"1", "2"}),
        (b'{"batchItemFailures": [{}]}', {"1", "2"}),
        (b'{"batchItemFailures": 7}', {"1", "2"}),
        (b"not json", {"1", "2"}),
    ],
)
def test_what_lambda_reads_from_an_answer(payload, kept):
    assert failed_items(Outcome(payload), {"1", "2"}, partial=True) == kept
    assert failed_items(Outcome(payload), {"1", "2"}, partial=False) == set()


def test_a_waiting_poll_gets_a_message_at_once(aws, queue):
    consumer = Consumer()
    source = poller(aws, queue, consumer)
    source.start()
    time.sleep(0.3)
    began = time.monotonic()
    send(aws, queue, "now")
    while not consumer.batches and time.monotonic() - began < 5:
        time.sleep(0.01)
    source.stop()
    assert time.monotonic() - began < 1
    assert consumer.bodies == [["now"]]


def test_a_schedule_ticks_at_once_and_at_its_rate():
    sent = []
    schedule = Schedule(Tick("arn:rule", 1, "arn:queue", '{"sweep": true}'), lambda arn, body: sent.append((arn, body)))
    schedule.start()
    time.sleep(1.3)
    schedule.stop()
    assert sent == [("arn:queue", '{"sweep": true}')] * 2


def test_an_upload_is_announced_through_the_rule(aws, queue):
    arn = "arn:aws:sqs:us-east-1:123456789012:" + queue[0].rpartition("/")[2]
    events, s3 = aws.client("events"), aws.client("s3")
    s3.create_bucket(Bucket="announced")
    s3.put_bucket_notification_configuration(
        Bucket="announced", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": ["announced"]}}}
    events.put_rule(Name="announced", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="announced", Targets=[{"Id": "q", "Arn": arn}])
    consumer = Consumer()
    aws.control("POST", "faults", {"lose": ["s3"]})
    s3.put_object(Bucket="announced", Key="lost", Body=b"1")
    aws.control("POST", "faults", {})
    s3.put_object(Bucket="announced", Key="a b+é", Body=b"1")
    assert poller(aws, queue, consumer).poll(1) == 1
    event = json.loads(consumer.batches[0][0]["body"])
    assert (event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]) == ("announced", "a b+é")
