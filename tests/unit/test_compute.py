"""Which machine a job gets, and what a request may ask for."""

from typing import Any

import pytest
from botocore.loaders import Loader

from infra.translated import translated
from modelmill.errors import InvalidRequest
from modelmill.jobs.compute import Offer, Work, is_gpu, limit_search, resolve_compute, usual_type

DEFAULT_TYPES = tuple(translated()["Parameters"]["TrainingInstanceTypes"]["Default"].split(","))
OFFER = Offer(DEFAULT_TYPES, 4, 3600)
MANY = 10_000
HUGE = 500 * 1024**2


def chosen(
    offer: Offer = OFFER, *, kind: str = "tabular", algorithm: str = "auto", rows: int = 100, size: int = 9
) -> str:
    return usual_type(offer, Work(kind, algorithm, rows, size))


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ({"algorithm": "linear"}, "ml.m5.xlarge"),
        ({"algorithm": "mlp", "rows": 10 * MANY}, "ml.m5.xlarge"),
        ({"algorithm": "random_forest", "rows": 10 * MANY, "size": HUGE}, "ml.m5.4xlarge"),
        ({"kind": "image", "algorithm": "cnn", "rows": 500}, "ml.m5.xlarge"),
        ({"kind": "image", "algorithm": "resnet", "rows": MANY}, "ml.g4dn.xlarge"),
        ({"kind": "image", "rows": MANY}, "ml.g4dn.xlarge"),
        ({"kind": "text", "algorithm": "transformer", "rows": MANY}, "ml.g4dn.xlarge"),
        ({"kind": "text", "algorithm": "text_linear", "rows": MANY}, "ml.m5.xlarge"),
        ({"kind": "timeseries", "algorithm": "lstm", "rows": MANY}, "ml.g4dn.xlarge"),
        ({"kind": "timeseries", "algorithm": "seasonal_naive", "rows": MANY}, "ml.m5.xlarge"),
    ],
)
def test_the_machine_follows_the_algorithm_and_the_size_of_the_data(work: dict[str, Any], expected: str) -> None:
    assert chosen(**work) == expected


def test_without_a_suitable_type_another_one_that_is_allowed_is_taken() -> None:
    # given stacks that allow little
    no_gpu = Offer(tuple(name for name in DEFAULT_TYPES if not is_gpu(name)), 4, 3600)

    # then nets get more processors instead of a GPU, and nothing outside of the list is taken
    assert chosen(no_gpu, kind="image", algorithm="cnn", rows=MANY) == "ml.m5.4xlarge"
    assert chosen(Offer(("ml.g5.2xlarge", "ml.r5.large"), 4, 60)) == "ml.r5.large"
    assert chosen(Offer(("ml.p3.2xlarge",), 4, 60)) == "ml.p3.2xlarge"


def test_what_is_asked_for_is_taken() -> None:
    asked = {"instance_type": "ml.g5.xlarge", "instance_count": 4, "spot": True, "max_runtime_s": 600}
    work = Work("tabular", "linear", 100, 9)

    assert resolve_compute(OFFER, Work("image", "cnn", 100, 9), asked).to_dict() == asked
    assert resolve_compute(OFFER, work, {"instance_type": None}).to_dict() == {
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
        "spot": False,
        "max_runtime_s": 3600,
    }


@pytest.mark.parametrize(
    ("asked", "field", "expected"),
    [
        ({"instance_type": "ml.p5.48xlarge"}, "compute.instance_type", "expected one of ml.m5.large, ml.m5.xlarge"),
        ({"instance_type": ""}, "compute.instance_type", "got '', expected one of"),
        ({"max_runtime_s": 59}, "compute.max_runtime_s", "got 59, expected an integer from 60 to 3600"),
        ({"max_runtime_s": 3601}, "compute.max_runtime_s", "got 3601, expected an integer from 60 to 3600"),
    ],
)
def test_what_the_stack_does_not_allow_is_refused(asked: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_compute(OFFER, Work("tabular", "linear", 100, 9), asked)

    (error,) = caught.value.errors
    assert error.field == field
    assert expected in error.message


@pytest.mark.parametrize(
    ("work", "count", "expected"),
    [
        (Work("tabular", "mlp", 100, 9), 5, "got 5, expected an integer from 1 to 4"),
        (Work("tabular", "mlp", 100, 9), 0, "got 0, expected an integer from 1 to 4"),
        (
            Work("tabular", "linear", 100, 9),
            2,
            "linear trains on one machine; ask for 1, or for one of mlp, autoencoder",
        ),
        (Work("text", "auto", 100, 9), 2, "auto trains on one machine; ask for 1, or for one of lstm, transformer"),
        (Work("tabular", "mlp", 100, 9, tuning=True), 2, "tuning runs on one machine"),
    ],
)
def test_only_one_net_at_a_time_is_trained_on_several_machines(work: Work, count: int, expected: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve_compute(OFFER, work, {"instance_count": count})

    (error,) = caught.value.errors
    assert error.field == "compute.instance_count"
    assert expected in error.message
    assert resolve_compute(OFFER, work, {"instance_count": 1}).instance_count == 1


def test_a_search_does_not_outlast_the_job() -> None:
    complete = {"trials": 30, "timeout_s": 600}

    assert limit_search("tuning.timeout_s", {}, complete, 3600) == complete
    assert limit_search("tuning.timeout_s", {}, complete, 300) == {"trials": 30, "timeout_s": 300}
    with pytest.raises(InvalidRequest, match=r"tuning.timeout_s: got 600, expected at most the 300 seconds"):
        limit_search("tuning.timeout_s", {"timeout_s": 600}, complete, 300)


def test_every_default_type_is_one_of_sagemakers() -> None:
    known = Loader().load_service_model("sagemaker", "service-2")["shapes"]["TrainingInstanceType"]["enum"]

    assert set(DEFAULT_TYPES) <= set(known)
    assert {name for name in DEFAULT_TYPES if is_gpu(name)} == {
        name for name in DEFAULT_TYPES if name.startswith(("ml.g4dn.", "ml.g5."))
    }
