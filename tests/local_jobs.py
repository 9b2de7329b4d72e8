"""Training jobs that run a small script on the local SageMaker, for tests."""

import time
import uuid

from modelmill_local.aws_process import AwsProcess

ROLE = "arn:aws:iam::123456789012:role/training"
START = """
echo "started in $PWD"
cat /opt/ml/input/data/training/part/1.csv
echo model > /opt/ml/model/model.txt
echo extra > /opt/ml/output/data/extra.txt
[ -n "$FAILURE" ] && echo "$FAILURE" > /opt/ml/output/failure
[ -n "$SECONDS_TO_SLEEP" ] && exec sleep $SECONDS_TO_SLEEP
exit ${CODE:-0}
"""
SPOT = """
echo "found $(ls /opt/ml/checkpoints)"
[ -n "$(ls /opt/ml/checkpoints)" ] && exit 0
echo state > /opt/ml/checkpoints/state.txt
exec sleep 60
"""
MACHINE = """
echo "$(cat /opt/ml/input/config/resourceconfig.json) $MODELMILL_ADDRESSES"
[ -n "$FAILS" ] && grep -q '"current_host": "algo-2"' /opt/ml/input/config/resourceconfig.json && exit 7
[ -n "$FAILS" ] && exec sleep 60
exit 0
"""
STUBBORN = "trap '' TERM\necho stubborn\nfor i in $(seq 300); do sleep 0.1; done\n"


def log_lines(aws: AwsProcess, name: str) -> list[str]:
    """What a job has printed so far."""
    logs, group = aws.client("logs"), "/aws/sagemaker/TrainingJobs"
    try:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    found = [logs.get_log_events(logGroupName=group, logStreamName=s["logStreamName"])["events"] for s in streams]
    return [event["message"] for events in found for event in events]


class Jobs:
    """Creates and follows jobs that run one script."""

    def __init__(self, aws: AwsProcess) -> None:
        self.aws = aws
        self.client = aws.client("sagemaker")
        self.bucket = f"jobs-{uuid.uuid4().hex[:12]}"

    def publish(self) -> "Jobs":
        """Put scripts and data where the jobs read them."""
        s3 = self.aws.client("s3")
        s3.create_bucket(Bucket=self.bucket)
        s3.put_object(Bucket=self.bucket, Key="code/train.sh", Body=START.encode())
        s3.put_object(Bucket=self.bucket, Key="stubborn/train.sh", Body=STUBBORN.encode())
        s3.put_object(Bucket=self.bucket, Key="spot/train.sh", Body=SPOT.encode())
        s3.put_object(Bucket=self.bucket, Key="machine/train.sh", Body=MACHINE.encode())
        s3.put_object(Bucket=self.bucket, Key="data/x/part/1.csv", Body=b"1,2\n")
        return self

    def create(self, environment=None, *, code="code", seconds=60, **changes) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        request = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "Environment": environment or {},
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["bash", "/opt/ml/input/data/code/train.sh"],
            },
            "InputDataConfig": [self.channel("code", f"{code}/"), self.channel("training", "data/x")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out", "CompressionType": "NONE"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
            "HyperParameters": {"a": "1"},
            "Tags": [{"Key": "team", "Value": "é 1"}],
        }
        self.client.create_training_job(**request | changes)
        return name

    def channel(self, name: str, prefix: str) -> dict:
        uri = f"s3://{self.bucket}/{prefix}"
        source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    def wait(self, name: str, *statuses: str) -> dict:
        wanted = statuses or ("Completed", "Failed", "Stopped")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            job = self.client.describe_training_job(TrainingJobName=name)
            if {job["TrainingJobStatus"], job["SecondaryStatus"]} & set(wanted):
                return job
            time.sleep(0.05)
        raise AssertionError(f"{name} is still {job['SecondaryStatus']}")

    def lines(self, name: str) -> list[str]:
        return log_lines(self.aws, name)

    def wait_for_object(self, key: str) -> None:
        s3, deadline = self.aws.client("s3"), time.monotonic() + 15
        while not s3.list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents"):
            assert time.monotonic() < deadline, key
            time.sleep(0.05)

    def wait_for_line(self, name: str, line: str) -> None:
        deadline = time.monotonic() + 15
        while line not in self.lines(name):
            assert time.monotonic() < deadline, self.lines(name)
            time.sleep(0.05)
