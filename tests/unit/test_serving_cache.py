"""Which model answers: aliases, broken bundles, the memory bound, tenants that do not meet."""

from pathlib import Path

import pytest

from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE
from modelmill.serving.load import SESSION_MEMORY
from tests.bundles import MIXED, write_bundle
from tests.inference_setup import Plane

ROW = {"age": 3, "sex": "a", "seen": None, "smoker": True, "visits": 2}
BODY = {"instances": [ROW]}


def put(plane: Plane, folder: Path, number: int, *, tenant: str = "acme", model: str = "m", seed: int = 0, **more):
    """Register a regression whose weights come from the seed."""
    place = folder / f"{tenant}-{model}-{number}"
    write_bundle(place, MIXED, None, seed=seed)
    plane.store.put(tenant, model, number, place, **more)


def flip(plane: Plane, number: int, name: str, at: int = 100) -> None:
    """Alter one byte of a stored file."""
    key = ("acme", "m", number, name)
    content = bytearray(plane.store.files[key])
    content[at % len(content)] ^= 1
    plane.store.files[key] = bytes(content)


def test_a_model_is_fetched_once(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)

    answers = [plane.post(BODY) for _ in range(3)]

    assert [status for status, _ in answers] == [200] * 3
    assert answers[0] == answers[2]
    assert len(plane.store.reads) == 2


def test_an_alias_move_is_seen_within_five_seconds(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    put(plane, tmp_path, 2, seed=1, alias=None)
    first = plane.post(BODY)[1]

    plane.store.point("acme", "m", 2)
    plane.clock.now += 5
    second = plane.post(BODY)[1]

    assert (first["version"], second["version"]) == (1, 2)
    assert first["predictions"] != second["predictions"]


def test_other_aliases_and_explicit_versions_can_be_asked_for(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    put(plane, tmp_path, 2, seed=1, alias="next")

    assert plane.post(BODY | {"alias": "next"})[1]["version"] == 2
    assert plane.post(BODY | {"version": 2})[1]["version"] == 2
    assert plane.post(BODY)[1]["version"] == 1


@pytest.mark.parametrize("body", [{}, {"alias": "other"}, {"version": 9}])
def test_what_is_unknown_is_not_found(tmp_path: Path, body: dict[str, object]):
    plane = Plane()
    put(plane, tmp_path, 1)

    assert plane.post(BODY | body, model="m" if body else "other")[0] == 404


@pytest.mark.parametrize("name", [MODEL_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("at", [0, 100, -1])
def test_one_altered_byte_is_never_served(tmp_path: Path, name: str, at: int):
    plane = Plane()
    put(plane, tmp_path, 1)
    flip(plane, 1, name, at)

    status, problem = plane.post(BODY)

    assert (status, problem["code"]) == (503, "version_unloadable")


def test_a_missing_longer_or_shorter_file_is_never_served(tmp_path: Path):
    put(plane := Plane(), tmp_path, 1)
    key = ("acme", "m", 1, MODEL_FILE)
    content = plane.store.files.pop(key)

    for altered in (None, content[:-1], content + b"more", b""):
        if altered is not None:
            plane.store.files[key] = altered
        plane.clock.now += 60

        assert plane.post(BODY)[1]["code"] == "version_unloadable"


def test_the_last_good_version_serves_while_the_new_one_cannot_be_loaded(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    before = plane.post(BODY)[1]
    put(plane, tmp_path, 2, seed=1)
    flip(plane, 2, MODEL_FILE)
    plane.clock.now += 5

    behind_alias = [plane.post(BODY) for _ in range(2)]
    explicit = plane.post(BODY | {"version": 2})

    assert behind_alias == [(200, before)] * 2
    assert explicit[0] == 503
    assert plane.store.reads.count("acme/m/2/model.onnx") == 1


def test_a_repaired_version_takes_over(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    plane.post(BODY)
    put(plane, tmp_path, 2, seed=1)
    flip(plane, 2, MODEL_FILE)
    plane.clock.now += 5
    plane.post(BODY)

    flip(plane, 2, MODEL_FILE)
    plane.clock.now += 20

    assert plane.post(BODY)[1]["version"] == 2


def test_a_quarantined_or_deleted_version_is_not_served_by_memory_of_it(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    plane.post(BODY)
    plane.store.mark("acme", "m", 1, "quarantined")
    plane.clock.now += 5

    assert plane.post(BODY)[0] == 409
    assert plane.post(BODY | {"version": 1})[1]["code"] == "version_not_ready"

    del plane.store.registered["acme", "m", 1]
    plane.clock.now += 5

    assert plane.post(BODY)[0] == 404


def test_a_fallback_is_not_a_quarantined_version(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    plane.post(BODY)
    put(plane, tmp_path, 2, seed=1)
    flip(plane, 2, MODEL_FILE)
    plane.store.mark("acme", "m", 1, "quarantined")
    plane.clock.now += 5

    assert plane.post(BODY)[0] == 503


def test_a_store_that_is_down_is_a_503_with_retry_after(tmp_path: Path):
    plane = Plane()
    put(plane, tmp_path, 1)
    plane.store.down = True

    status, problem = plane.post(BODY)

    assert (status, problem["code"]) == (503, "unavailable")


def test_equal_bundles_of_two_tenants_are_two_sessions(tmp_path: Path):
    plane = Plane()
    plane.keys.give("mm_other", "other", "predict")
    put(plane, tmp_path, 1)
    put(plane, tmp_path, 1, tenant="other")

    plane.post(BODY)
    plane.post(BODY, key="mm_other")

    assert plane.store.reads.count("other/m/1/model.onnx") == 1
    assert plane.sessions.memory_bytes > 2 * SESSION_MEMORY


def test_a_warm_model_of_one_tenant_does_not_exist_for_another(tmp_path: Path):
    plane = Plane()
    plane.keys.give("mm_other", "other", "predict")
    put(plane, tmp_path, 1)
    plane.post(BODY)

    foreign = plane.post(BODY, key="mm_other")
    unknown = plane.post(BODY, key="mm_other", model="n")

    assert foreign[0] == unknown[0] == 404
    assert foreign[1]["detail"].replace("'m'", "'n'") == unknown[1]["detail"]


def test_the_least_recently_used_model_leaves_when_memory_is_short(tmp_path: Path):
    plane = Plane(max_bytes=int(2.5 * SESSION_MEMORY))
    for seed, model in enumerate("abc"):
        put(plane, tmp_path, 1, model=model, seed=seed)

    for model in ("a", "b", "a", "c", "a", "b"):
        assert plane.post(BODY, model=model)[0] == 200

    fetched = [read for read in plane.store.reads if read.endswith(MODEL_FILE)]
    assert fetched == [f"acme/{model}/1/model.onnx" for model in "abcb"]
    assert plane.sessions.memory_bytes <= 2.5 * SESSION_MEMORY


def test_a_tenant_with_many_models_pushes_out_its_own(tmp_path: Path):
    plane = Plane(max_bytes=int(3.5 * SESSION_MEMORY))
    plane.keys.give("mm_other", "other", "predict")
    put(plane, tmp_path, 1, tenant="other")
    plane.post(BODY, key="mm_other")
    for seed, model in enumerate("abcde"):
        put(plane, tmp_path, 1, model=model, seed=seed)
        assert plane.post(BODY, model=model)[0] == 200

    plane.post(BODY, key="mm_other")

    assert plane.store.reads.count("other/m/1/model.onnx") == 1


def test_a_model_beyond_the_bound_is_refused_and_nothing_else_is_lost(tmp_path: Path):
    plane = Plane(max_bytes=SESSION_MEMORY // 2)
    put(plane, tmp_path, 1)

    assert plane.post(BODY)[1]["code"] == "model_too_large"
    assert plane.sessions.memory_bytes == 0


def test_models_give_way_where_the_disk_is_full(tmp_path: Path):
    plane = Plane(free_disk=lambda: 0 if plane.sessions.memory_bytes else 1_000_000)
    put(plane, tmp_path, 1)
    put(plane, tmp_path, 1, model="other")

    assert plane.post(BODY)[0] == 200
    alone = plane.sessions.memory_bytes
    assert plane.post(BODY, model="other")[0] == 200
    assert plane.sessions.memory_bytes == alone


def test_a_model_that_the_disk_never_holds_is_told(tmp_path: Path):
    plane = Plane(free_disk=lambda: 0)
    put(plane, tmp_path, 1)

    status, answer = plane.post(BODY)

    assert (status, answer["code"]) == (503, "model_too_large")
    assert "temporary disk space" in answer["detail"]
