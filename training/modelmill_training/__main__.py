"""The start of a job: the one place where failures become a failure file and an exit code."""

import os
import sys
import traceback

from modelmill.errors import InvalidRequest
from modelmill_training.cluster import CLUSTER_VARIABLE, Cluster
from modelmill_training.environment import Environment
from modelmill_training.failures import TrainingFailure
from modelmill_training.lean_imports import leave_out
from modelmill_training.progress import Progress

# Of sysexits.h: what was given is at fault (EX_DATAERR), or the platform is (EX_SOFTWARE).
EXIT_DATA = 65
EXIT_INTERNAL = 70


def main() -> int:
    """Run the job: the exit code of the process."""
    environment = Environment.from_mapping(os.environ)
    cluster = Cluster.find(environment, os.environ)
    progress = Progress(checkpoints=environment.checkpoint_folder, chief=cluster.chief)
    progress.report("load")
    try:
        _run(environment, cluster, progress)
    except TrainingFailure as failure:
        return _fail(environment, progress, failure.code, failure.message, EXIT_DATA)
    except InvalidRequest as error:
        return _fail(environment, progress, error.code, error.detail, EXIT_DATA)
    except MemoryError:
        message = "The job ran out of memory: use fewer rows or columns, or a larger instance type."
        return _fail(environment, progress, "out_of_memory", message, EXIT_DATA)
    except Exception as error:  # noqa: BLE001 - the edge of the process
        traceback.print_exc()
        message = f"Unexpected {type(error).__name__} in the phase {progress.phase}; the job's log has the details."
        return _fail(environment, progress, "internal", message, EXIT_INTERNAL)
    return 0


def _run(environment: Environment, cluster: Cluster, progress: Progress) -> None:
    from modelmill_training.job import run  # so that a failing import is told as a failure too

    manifest = run(environment, cluster, progress)
    what = manifest.algorithm if manifest else f"machine {cluster.rank + 1} of {len(cluster.addresses)}"
    progress.log(f"{what} is done in {progress.elapsed:.1f} s")


def _fail(environment: Environment, progress: Progress, code: str, message: str, exit_code: int) -> int:
    progress.log(f"{code}: {message}")
    environment.write_failure(code, message)
    return exit_code


if __name__ == "__main__":
    # Threads that wait by spinning slow each other down several times as soon as two jobs share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Imported only to recognise frames (by pyarrow, scikit-learn and Keras) and to draw pictures (by Keras).
    leave_out("pandas")
    code = main()
    if CLUSTER_VARIABLE in os.environ:
        # TensorFlow's connections to other machines can keep a process from ending by itself.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
