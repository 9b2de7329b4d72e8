"""Where a SageMaker container finds its input and leaves its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "MODELMILL_ML_ROOT"
DEFAULT_ROOT = "/opt/ml"

# SageMaker shows no more of the failure file than this.
MAX_FAILURE_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Environment:
    """The folders of a job; see "How Amazon SageMaker Provides Training Information" in AWS's documentation."""

    root: Path

    @classmethod
    def from_mapping(cls, variables: Mapping[str, str]) -> "Environment":
        """The environment below `MODELMILL_ML_ROOT`, or below /opt/ml."""
        return cls(Path(variables.get(ROOT_VARIABLE) or DEFAULT_ROOT))

    @property
    def spec_file(self) -> Path:
        """The training spec."""
        return self.root / "input/data/spec/spec.json"

    @property
    def data_file(self) -> Path:
        """The rows."""
        return self.root / "input/data/training/data.parquet"

    @property
    def schema_file(self) -> Path:
        """The columns and their profile."""
        return self.root / "input/data/training/schema.json"

    @property
    def base_model_folder(self) -> Path:
        """The files of the base model, where the job starts from one."""
        return self.root / "input/data/base_model"

    @property
    def model_folder(self) -> Path:
        """Where the bundle goes."""
        return self.root / "model"

    @property
    def resource_file(self) -> Path:
        """Which machines the job has."""
        return self.root / "input/config/resourceconfig.json"

    @property
    def checkpoint_folder(self) -> Path | None:
        """Where the job may keep its state for a later start of it, if anywhere."""
        folder = self.root / "checkpoints"
        return folder if folder.is_dir() else None

    def write_failure(self, code: str, message: str) -> None:
        """Leave the cause where SageMaker picks it up."""
        folder = self.root / "output"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "failure").write_text(f"{code}: {message}"[:MAX_FAILURE_CHARACTERS], encoding="utf-8")
