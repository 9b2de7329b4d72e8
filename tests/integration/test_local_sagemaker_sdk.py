"""The `sagemaker` SDK's ModelTrainer trains on the local SageMaker as it would on AWS."""

import json
import logging

import pytest

from tests.local_jobs import log_lines

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
        lines = log_lines(aws, job.training_job_name)
        assert [line for line in lines if line.startswith("step")] == ["step 0", "step 1", "step 2"]
        assert "step 0" in caplog.text, "the SDK's own tail saw nothing"

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
