"""Records of training jobs in the table."""

import time
from typing import Any

from modelmill import lease
from modelmill.aws.dynamodb import NOT_DUE, ConditionFailed, Table, due
from modelmill.aws.items import Item, from_item, to_item
from modelmill.aws.layout import BASE_MODEL, DATASET, Row, model_row, tenant_key, uploaded_row
from modelmill.aws.registry import move_writes, next_number, version_put
from modelmill.aws.rows import count, create_counted
from modelmill.aws.writes import ABSENT, Condition, Put, Update, Write
from modelmill.idempotency import IdempotencyKey
from modelmill.jobs.records import RANKS, TERMINAL_RANK, Job, JobStatus
from modelmill.models.registry import AliasMove, ModelVersion
from modelmill.pages import Page
from modelmill.timestamps import iso

DISPATCH_SECONDS = 60


class TableJobs:
    """Implements `jobs.records.Jobs`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, job: Job, limit: int, key: IdempotencyKey | None, now: float) -> Job:
        """See `Jobs`."""
        owner = {"pk": _owner_row(job.job_id)[0], "sk": _owner_row(job.job_id)[1], "tenant": job.tenant}
        ready = Condition("#status = :ready", {"ready": "ready"})
        writes: list[Write] = [
            Put(to_item(job, _row(job)) | {"rank": 0} | due(job.job_id, now + DISPATCH_SECONDS), ABSENT),
            Put(owner),
            Update(uploaded_row(DATASET, job.tenant, job.dataset_id), add={"in_use": 1}, when=ready),
            *_base_model_use(job, 1, ready),
        ]
        counted = count(job.tenant, "concurrent_jobs", 1, limit)
        stands = create_counted(self._table, job.tenant, writes, counted, key, job.job_id, now)
        return from_item(Job, self._table.get((tenant_key(job.tenant), f"JOB#{stands}")) or {})

    def get(self, tenant: str, job_id: str) -> Job | None:
        """See `Jobs`."""
        item = self._table.get((tenant_key(tenant), f"JOB#{job_id}"))
        return from_item(Job, item) if item else None

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Job]:
        """See `Jobs`."""
        page = self._table.page(tenant_key(tenant), "JOB#", limit, cursor)
        return Page([from_item(Job, item) for item in page.items], page.next_cursor)

    def owner(self, job_id: str) -> str | None:
        """See `Jobs`."""
        item = self._table.get(_owner_row(job_id))
        return str(item["tenant"]) if item else None

    def lease(self, tenant: str, job_id: str, status: JobStatus, now: float) -> Job | None:
        """See `Jobs`."""
        free = "#status = :wanted AND (attribute_not_exists(#lease_until) OR #lease_until < :now)"
        when = Condition(free, {"wanted": status, "now": int(now)})
        return self._write(Update((tenant_key(tenant), f"JOB#{job_id}"), _leased(job_id, now), when=when))

    def renew(self, job: Job, now: float) -> None:
        """See `Jobs`."""
        self._write(Update(_row(job), _leased(job.job_id, now), when=_same_state(job)))

    def advance(self, job: Job, status: JobStatus, now: float, due_at: float | None, **changes: Any) -> Job | None:
        """See `Jobs`."""
        if RANKS[status] == TERMINAL_RANK:
            return self.get(job.tenant, job.job_id) if self._end(job, status, now, changes, []) else None
        moved = changes | {"status": status, "rank": RANKS[status], "updated_at": iso(now), "lease_until": None}
        moved |= {"reason": None, "looks": 0} | (due(job.job_id, due_at) if due_at else {})
        return self._write(Update(_row(job), moved, when=_not_past(job, RANKS[status])))

    def retry(self, job: Job, now: float, reason: str) -> Job | None:
        """See `Jobs`."""
        again = {"status": "queued", "rank": 0, "attempt": job.attempt + 1, "looks": 0, "reason": reason}
        again |= {"updated_at": iso(now), "lease_until": None, **due(job.job_id, now)}
        return self._write(Update(_row(job), again, when=_not_past(job, RANKS["registering"])))

    def postpone(self, job: Job, now: float, due_at: float, reason: str | None = None) -> None:
        """See `Jobs`."""
        later: Item = {"lease_until": None, "updated_at": iso(now), "reason": reason, **due(job.job_id, due_at)}
        self._write(Update(_row(job), later, {"looks": 1}, _same_state(job)))

    def look_again(self, job: Job, at: float) -> None:
        """See `Jobs`."""
        self._write(Update(_row(job), due(job.job_id, at), {"looks": 1}, _same_state(job)))

    def request_stop(self, tenant: str, job_id: str, now: float) -> Job | None:
        """See `Jobs`."""
        running = Condition("#rank < :registering", {"registering": RANKS["registering"]})
        changes = {"stop_requested": True, "updated_at": iso(now), **due(job_id, now)}
        return self._write(Update((tenant_key(tenant), f"JOB#{job_id}"), changes, when=running))

    def number_version(self, job: Job) -> int:
        """See `Jobs`."""
        row = model_row(job.tenant, job.model)
        item = self._table.get(_row(job)) or {}
        while "model_version" not in item:
            self._reserve(job, row)
            item = self._table.get(_row(job)) or {}
        return int(item["model_version"])

    def complete(self, job: Job, version: ModelVersion, move: AliasMove | None, now: float) -> bool:
        """See `Jobs`."""
        writes: list[Write] = [version_put(version), *(move_writes(job.tenant, job.model, move) if move else [])]
        return self._end(job, "completed", now, {"model_version": version.version}, writes)

    def refuse(self, job: Job, version: ModelVersion, failure: dict[str, str], now: float) -> bool:
        """See `Jobs`."""
        return self._end(job, "failed", now, {"failure": failure}, [version_put(version)])

    def _reserve(self, job: Job, row: Row) -> None:
        """Give the next number to the job and count it in the model at once, unless somebody else was faster."""
        known = self._table.get(row) or {}
        model = next_number(known, job.tenant, job.model, iso(time.time()))
        before = {"before": known.get("latest_version", 0)}
        unnumbered = Condition("attribute_not_exists(#model_version)")
        next_one = Condition("attribute_not_exists(#latest_version) OR #latest_version = :before", before)
        try:
            self._table.transact(
                [
                    Update(_row(job), {"model_version": model["latest_version"]}, when=unnumbered),
                    Update(row, model, when=next_one),
                ]
            )
        except ConditionFailed:
            return

    def _end(self, job: Job, status: JobStatus, now: float, changes: Item, writes: list[Write]) -> bool:
        ended = changes | {"status": status, "rank": TERMINAL_RANK, "updated_at": iso(now)}
        ended |= {"lease_until": None, "reason": None, **NOT_DUE}
        released: list[Write] = [
            Update(_row(job), ended, when=_not_past(job, TERMINAL_RANK)),
            count(job.tenant, "concurrent_jobs", -1),
            Update(uploaded_row(DATASET, job.tenant, job.dataset_id), add={"in_use": -1}),
            *_base_model_use(job, -1),
        ]
        try:
            self._table.transact([*released, *writes])
        except ConditionFailed:
            return False
        return True

    def _write(self, update: Update) -> Job | None:
        try:
            return from_item(Job, self._table.write(update))
        except ConditionFailed:
            return None


def _row(job: Job) -> Row:
    return (tenant_key(job.tenant), f"JOB#{job.job_id}")


def _owner_row(job_id: str) -> Row:
    return (f"JOB#{job_id}", "OWNER")


def _base_model_use(job: Job, change: int, when: Condition | None = None) -> list[Write]:
    if job.base_model is None:
        return []
    return [Update(uploaded_row(BASE_MODEL, job.tenant, job.base_model), add={"in_use": change}, when=when)]


def _leased(job_id: str, now: float) -> Item:
    return {"lease_until": int(now) + lease.SECONDS, **due(job_id, now + lease.SECONDS + 1)}


def _same_state(job: Job) -> Condition:
    return Condition("#status = :was AND #attempt = :attempt", {"was": job.status, "attempt": job.attempt})


def _not_past(job: Job, rank: int) -> Condition:
    """This attempt has not reached `rank` yet."""
    return Condition("#rank < :rank AND #attempt = :attempt", {"rank": rank, "attempt": job.attempt})
