"""The local SageMaker, called by AWS's own clients: boto3, and the `sagemaker` SDK's ModelTrainer."""

import json
import logging
import os
import signal
import time
import uuid
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.local_parts import local_aws, wait_until_gone

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
STUBBORN = "trap '' TERM\necho stubborn\nfor i in $(seq 300); do sleep 0.1; done\n"


class Jobs:
    """Creates and follows jobs that run one script."""

    def __init__(self, aws) -> None:
        self.aws = aws
        self.client = aws.client("sagemaker")
        self.bucket = f"jobs-{uuid.uuid4().hex[:12]}"
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=self.bucket)
        s3.put_object(Bucket=self.bucket, Key="code/train.sh", Body=START.encode())
        s3.put_object(Bucket=self.bucket, Key="stubborn/train.sh", Body=STUBBORN.encode())
        s3.put_object(Bucket=self.bucket, Key="data/x/part/1.csv", Body=b"1,2\n")

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
            "InputDataConfig": [self._channel("code", f"{code}/"), self._channel("training", "data/x")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out", "CompressionType": "NONE"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
            "HyperParameters": {"a": "1"},
            "Tags": [{"Key": "team", "Value": "é 1"}],
        }
        self.client.create_training_job(**request | changes)
        return name

    def _channel(self, name: str, prefix: str) -> dict:
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
        logs, group = self.aws.client("logs"), "/aws/sagemaker/TrainingJobs"
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        found = [logs.get_log_events(logGroupName=group, logStreamName=s["logStreamName"])["events"] for s in streams]
        return [event["message"] for events in found for event in events]

    def wait_for_line(self, name: str, line: str) -> None:
        deadline = time.monotonic() + 15
        while line not in self.lines(name):
            assert time.monotonic() < deadline, self.lines(name)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def jobs(aws):
    return Jobs(aws)


def test_a_job_runs_through_its_states_and_uploads_what_it_made(aws, jobs):
    name = jobs.create()
    job = jobs.wait(name)
    assert job["TrainingJobStatus"] == "Completed"
    states = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{jobs.bucket}/out/{name}/output/model"
    s3 = aws.client("s3")
    assert s3.get_object(Bucket=jobs.bucket, Key=f"out/{name}/output/model/model.txt")["Body"].read() == b"model\n"
    assert s3.get_object(Bucket=jobs.bucket, Key=f"out/{name}/output/data/extra.txt")["Body"].read() == b"extra\n"
    assert jobs.lines(name)[1] == "1,2"
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]
    tags = jobs.client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "é 1"}]
    listed = jobs.client.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    assert [(entry["TrainingJobName"], entry["TrainingJobStatus"]) for entry in listed] == [(name, "Completed")]


def test_every_change_of_state_is_an_event_in_awss_form(aws, jobs):
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="changes")["QueueUrl"]
    pattern = {"source": ["aws.sagemaker"], "detail": {"TrainingJobName": [{"prefix": "test-"}]}}
    events.put_rule(Name="changes", EventPattern=json.dumps(pattern))
    target = {"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:changes"}
    events.put_targets(Rule="changes", Targets=[target])
    name = jobs.create()
    jobs.wait(name)
    seen = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        seen += [json.loads(message["Body"]) for message in messages]
    events.remove_targets(Rule="changes", Ids=["q"])
    events.delete_rule(Name="changes")
    assert [event["detail"]["SecondaryStatus"] for event in seen][-1] == "Completed"
    event = seen[-1]
    assert event["detail-type"] == "SageMaker Training Job State Change"
    assert event["resources"] == [event["detail"]["TrainingJobArn"]]
    assert event["detail"]["CreationTime"] > 1_600_000_000_000
    assert event["detail"]["Tags"] == {"team": "é 1"}


def test_lost_events_are_lost(aws, jobs):
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="lost")["QueueUrl"]
    events.put_rule(Name="lost", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule="lost", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:lost"}])
    aws.control("POST", "faults", {"lose": ["sagemaker"]})
    jobs.wait(jobs.create())
    aws.control("POST", "faults", {})
    events.remove_targets(Rule="lost", Ids=["q"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_failing_job_says_what_its_script_said(jobs):
    job = jobs.wait(jobs.create({"FAILURE": "no_rows: nothing to train on", "CODE": "3"}))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no_rows: nothing to train on, exit code: 3"


def test_missing_input_fails_the_job(jobs):
    name = jobs.create(InputDataConfig=[jobs._channel("training", "nothing/here/")])
    job = jobs.wait(name)
    assert job["FailureReason"].startswith("ClientError: Data download failed")


def test_two_jobs_run_at_once_and_stop_when_asked(jobs):
    names = [jobs.create({"SECONDS_TO_SLEEP": "60"}) for _ in range(2)]
    for name in names:
        jobs.wait_for_line(name, "1,2")  # the log is there while it runs
    for name in names:
        jobs.client.stop_training_job(TrainingJobName=name)
    for name in names:
        job = jobs.wait(name)
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
        assert "Stopping" in [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
        with pytest.raises(ClientError, match="in status Stopped"):
            jobs.client.stop_training_job(TrainingJobName=name)


def test_a_third_job_waits_and_can_be_stopped_meanwhile(jobs):
    running = [jobs.create({"SECONDS_TO_SLEEP": "60"}) for _ in range(2)]
    for name in running:
        jobs.wait(name, "Training")
    waiting = jobs.create()
    time.sleep(0.5)
    assert jobs.wait(waiting, "Starting")["TrainingJobStatus"] == "InProgress"
    jobs.client.stop_training_job(TrainingJobName=waiting)
    assert jobs.wait(waiting)["TrainingJobStatus"] == "Stopped"
    for name in running:
        jobs.client.stop_training_job(TrainingJobName=name)
        jobs.wait(name)


def test_a_job_over_its_time_is_stopped(jobs):
    job = jobs.wait(jobs.create({"SECONDS_TO_SLEEP": "60"}, seconds=1))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def running_guard(aws, jobs, name: str) -> int:
    """The process that watches over a job's script."""
    folder = f"/training/{name}"
    found = [pid for pid in children(aws.process.pid) if str(Path(f"/proc/{pid}/cwd").readlink()).endswith(folder)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("whom", ["script", "guard"])
def test_a_job_killed_from_outside_fails_with_its_cause(aws, jobs, whom):
    name = jobs.create({"SECONDS_TO_SLEEP": "60"})
    jobs.wait_for_line(name, "1,2")
    guard = running_guard(aws, jobs, name)
    (script,) = children(guard)
    os.kill(script if whom == "script" else guard, signal.SIGKILL)
    job = jobs.wait(name)
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 137")
    wait_until_gone([script])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TrainingJobName": "under_score"}, "regular expression pattern"),
        ({"ResourceConfig": {"InstanceType": "ml.none", "InstanceCount": 1, "VolumeSizeInGB": 1}}, "enum value set"),
        ({"HyperParameters": {"a": "x" * 3000}}, "length less than or equal to 2500"),
        ({"RoleArn": "arn:aws:iam::1:training"}, "RoleArn"),
        ({"OutputDataConfig": {"S3OutputPath": "http://x"}}, "S3OutputPath"),
    ],
)
def test_requests_that_sagemaker_refuses_are_refused(jobs, changes, message):
    with pytest.raises(ClientError, match=message):
        jobs.create(**changes)


def test_names_are_unique_and_unknown_ones_are_told(jobs):
    name = jobs.create()
    with pytest.raises(ClientError, match="ResourceInUse"):
        jobs.create(TrainingJobName=name)
    jobs.wait(name)
    for call in (jobs.client.describe_training_job, jobs.client.stop_training_job):
        with pytest.raises(ClientError, match="Requested resource not found"):
            call(TrainingJobName="unknown")


def test_it_can_be_told_to_have_no_capacity(aws, jobs):
    failure = {"operation": "CreateTrainingJob", "code": "ResourceLimitExceeded", "message": "none left"}
    aws.control("POST", "faults", {"fail": [failure]})
    with pytest.raises(ClientError, match="none left"):
        jobs.create()
    assert jobs.wait(jobs.create())["TrainingJobStatus"] == "Completed"


def test_a_restart_keeps_records_and_logs_and_fails_what_was_running(tmp_path):
    with local_aws(tmp_path) as aws:
        jobs = Jobs(aws)
        done, running, stubborn = jobs.create(), jobs.create({"SECONDS_TO_SLEEP": "60"}), jobs.create(code="stubborn")
        jobs.wait(done)
        jobs.wait_for_line(running, "1,2")
        jobs.wait_for_line(stubborn, "stubborn")
        scripts = [children(running_guard(aws, jobs, name))[0] for name in (running, stubborn)]
        os.kill(aws.process.pid, signal.SIGKILL)
        aws.process.wait()
        wait_until_gone(scripts)
    with local_aws(tmp_path) as aws:
        aws.control("POST", "restore")
        again = object.__new__(Jobs)
        again.aws, again.client = aws, aws.client("sagemaker")
        assert again.wait(done)["TrainingJobStatus"] == "Completed"
        assert again.wait(running)["FailureReason"].startswith("InternalServerError")
        assert "1,2" in again.lines(done)


# ---------------------------------------------------------------- the sagemaker SDK

TRAIN = """
import os, time
print("rate", os.environ["SM_HP_LR"], flush=True)
for step in range(3):
    print("step", step, flush=True)
    time.sleep(float(os.environ.get("STEP_SECONDS", "0.2")))
if os.environ.get("FAIL"):
    raise SystemExit(3)
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w") as file:
    file.write("trained")
"""


@pytest.fixture(scope="module")
def trainer(aws, tmp_path_factory):
    """Makes ModelTrainers against the local cloud; AWS's own SDK warns about itself."""
    import boto3

    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    for name, value in {"ACCESS_KEY_ID": "local", "SECRET_ACCESS_KEY": "local", "DEFAULT_REGION": "us-east-1"}.items():
        patch.setenv(f"AWS_{name}", value)
    patch.setenv("SAGEMAKER_TELEMETRY_OPT_OUT", "true")
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.training.configs import Compute, SourceCode
    from sagemaker.train import ModelTrainer

    folder = tmp_path_factory.mktemp("source")
    (folder / "train.py").write_text(TRAIN)
    boto = boto3.Session(region_name="us-east-1")
    # The SDK asks IAM what the role may do, which moto cannot answer.
    allowed = (type("Answer", (), {"status_code": 200}), {"EvaluationResults": []})
    boto.events.register("before-call.iam.SimulatePrincipalPolicy", lambda **_: allowed)
    boto.client("s3").create_bucket(Bucket="sagemaker-sdk")
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = boto.client("iam").create_role(RoleName="sdk", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    session = Session(boto_session=boto, default_bucket="sagemaker-sdk")

    def make(name: str, **environment: str):
        return ModelTrainer(
            training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
            source_code=SourceCode(source_dir=str(folder), entry_script="train.py"),
            compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=1),
            hyperparameters={"lr": 0.1},
            environment=environment,
            role=role,
            sagemaker_session=session,
            base_job_name=name,
        )

    yield make
    patch.undo()


@pytest.mark.filterwarnings("ignore")
class TestModelTrainer:
    """What the SDK's own client sees."""

    def test_it_trains_to_completion_and_its_log_can_be_followed(self, aws, trainer, caplog):
        caplog.set_level(logging.INFO)
        logging.getLogger("sagemaker").propagate = True
        model = trainer("complete")
        model.train(wait=False, logs=False)
        job = model._latest_training_job
        job.wait(poll=1, logs=True)
        job.refresh()
        assert job.training_job_status == "Completed"
        assert job.model_artifacts.s3_model_artifacts.endswith("/output/model.tar.gz")
        lines = Jobs.lines(_with(aws), job.training_job_name)
        assert [line for line in lines if line.startswith("step")] == ["step 0", "step 1", "step 2"]

    def test_it_stops_a_job(self, trainer):
        model = trainer("stop", STEP_SECONDS="60")
        model.train(wait=False, logs=False)
        job = model._latest_training_job
        job.stop()
        job.wait(poll=1, logs=False)
        job.refresh()
        assert job.training_job_status == "Stopped"

    def test_it_reports_a_failure(self, trainer):
        from sagemaker.core.utils.exceptions import FailedStatusError

        model = trainer("fail", FAIL="1", STEP_SECONDS="0")
        model.train(wait=False, logs=False)
        with pytest.raises(FailedStatusError, match=r"(?s)AlgorithmError: .*exit code: 3"):
            model._latest_training_job.wait(poll=1, logs=False)


def _with(aws) -> Jobs:
    made = object.__new__(Jobs)
    made.aws = aws
    return made
