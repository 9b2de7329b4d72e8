"""The local SageMaker as boto3 sees it: states, logs, events, failures, and what a restart leaves."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.local_jobs import Jobs
from tests.local_parts import local_aws, wait_until_gone


@pytest.fixture(scope="module")
def jobs(aws):
    return Jobs(aws).publish()


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
    name = jobs.create(InputDataConfig=[jobs.channel("training", "nothing/here/")])
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


def test_a_spot_job_whose_machine_is_taken_away_goes_on_with_its_checkpoints(aws, jobs):
    spot = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
        "CheckpointConfig": {"S3Uri": f"s3://{jobs.bucket}/kept/", "LocalPath": "/opt/ml/checkpoints"},
    }
    name, other = jobs.create(code="spot", **spot), jobs.create({"SECONDS_TO_SLEEP": "1"})
    jobs.wait_for_object("kept/state.txt")
    aws.control("POST", "faults", {"interrupt": [name, other]})
    job = jobs.wait(name)
    assert jobs.wait(other)["TrainingJobStatus"] == "Completed"
    aws.control("POST", "faults", {})
    states = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    once = ["Starting", "Downloading", "Training"]
    assert states == [*once, "Interrupted", *once, "Uploading", "Completed"]
    assert [line for line in jobs.lines(name) if line.startswith("found")] == ["found ", "found state.txt"]


def test_a_job_on_two_machines_is_told_of_both_and_fails_with_either(jobs):
    two = {"ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}}
    good, bad = jobs.create(code="machine", **two), jobs.create({"FAILS": "1"}, code="machine", **two)
    assert jobs.wait(good)["TrainingJobStatus"] == "Completed"
    assert jobs.wait(bad)["FailureReason"] == "AlgorithmError: , exit code: 7"
    told = [line.rpartition("} ") for line in jobs.lines(good)]
    configs = [json.loads(config + "}") for config, _, _ in told]
    assert sorted(config["current_host"] for config in configs) == ["algo-1", "algo-2"]
    assert all(config["hosts"] == ["algo-1", "algo-2"] for config in configs)
    assert len({addresses for _, _, addresses in told}) == 1
    assert len(set(told[0][2].split(","))) == 2


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
        jobs = Jobs(aws).publish()
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
        again = Jobs(aws)
        assert again.wait(done)["TrainingJobStatus"] == "Completed"
        assert again.wait(running)["FailureReason"].startswith("InternalServerError")
        assert "1,2" in again.lines(done)
