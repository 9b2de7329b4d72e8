"""The job machine under any order of events, crashes and sweeps."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelmill.errors import Conflict
from modelmill.jobs.dispatch import dispatch, training_job_name
from modelmill.jobs.records import RANKS
from modelmill.jobs.register import register
from modelmill.jobs.submit import stop
from modelmill.jobs.track import training_job_changed
from modelmill.models.admission import admit_bundle
from tests.bundles import write_bundle
from tests.cloud import STACK, TENANT, aws_error, cloud


class JobMachine(RuleBasedStateMachine):
    """One job; whatever happens, its rank never falls within an attempt and its quota is freed once, at its end."""

    def __init__(self) -> None:
        super().__init__()
        self._entered = cloud()
        self.cloud = self._entered.__enter__()
        self.cloud.publish_training_code()
        self.job_id = self.cloud.queued_job().job_id
        self.seen = (1, 0)
        self._folder = TemporaryDirectory()
        self.bundle = Path(self._folder.name)
        write_bundle(self.bundle)

    def teardown(self) -> None:
        self._folder.cleanup()
        self._entered.__exit__(None, None, None)

    @property
    def job(self):
        return self.cloud.job(self.job_id)

    @property
    def name(self) -> str:
        return training_job_name(STACK, self.job)

    @property
    def started(self) -> bool:
        return self.name in self.cloud.sagemaker.jobs

    @rule()
    def dispatch_message(self) -> None:
        dispatch(self.cloud.jobs, self.cloud.trainer, TENANT, self.job_id)

    @rule()
    def dispatch_without_capacity(self) -> None:
        self.cloud.sagemaker.errors = [aws_error("ResourceLimitExceeded")]
        dispatch(self.cloud.jobs, self.cloud.trainer, TENANT, self.job_id)
        self.cloud.sagemaker.errors = []

    @precondition(lambda self: self.started)
    @rule()
    def trains(self) -> None:
        self.cloud.sagemaker.tell(self.name, "InProgress", "Training")

    @precondition(lambda self: self.started)
    @rule()
    def breaks(self) -> None:
        self.cloud.sagemaker.tell(self.name, "Failed", "Failed", "InternalServerError")

    @precondition(lambda self: self.started)
    @rule()
    def completes(self) -> None:
        self.cloud.finish(self.job, self.bundle)

    @rule()
    def event(self) -> None:
        training_job_changed(self.cloud.tracker, STACK, self.name)

    @rule()
    def event_of_the_first_attempt(self) -> None:
        training_job_changed(self.cloud.tracker, STACK, f"{STACK}-{self.job_id}-1")

    @rule()
    def sweep(self) -> None:
        self.cloud.sweep_all()

    @rule()
    def admit(self) -> None:
        register(self.cloud.registrar(admit_bundle), TENANT, self.job_id)

    @rule()
    def stop_it(self) -> None:
        try:
            stop(self.cloud.jobs, self.cloud.states, TENANT, self.job_id)
        except Conflict:
            assert RANKS[self.job.status] >= RANKS["registering"]

    @invariant()
    def rank_never_falls_within_an_attempt(self) -> None:
        now = (self.job.attempt, RANKS[self.job.status])
        assert now >= self.seen
        self.seen = now

    @invariant()
    def quota_is_held_exactly_while_it_runs(self) -> None:
        used = self.cloud.call("GET", "/v1/usage").body["quotas"]["concurrent_jobs"]["used"]
        assert used == (0 if self.job.ended else 1)

    @invariant()
    def the_alias_points_at_a_ready_version(self) -> None:
        live = self.cloud.registry.alias(TENANT, "m", "live")
        if live:
            version = self.cloud.registry.version(TENANT, "m", live.version)
            assert version
            assert version.status == "ready"
        assert (live is not None) == (self.job.status == "completed")


TestJobMachine = JobMachine.TestCase
TestJobMachine.settings = settings(
    max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
