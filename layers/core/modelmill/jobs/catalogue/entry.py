"""What one entry of the catalogue says, and the parts that several entries share."""

from dataclasses import dataclass
from typing import Any, Literal

AUTO = "auto"

CLASS_WEIGHT: dict[str, Any] = {
    "type": "string",
    "enum": ["none", "balanced"],
    "default": "none",
    "description": "Classification: 'balanced' weighs each class by the inverse of its frequency.",
    "search": {"choices": ["none", "balanced"], "tasks": ["binary", "multiclass"]},
}

TIME_BUDGET: dict[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 3600,
    "default": 600,
    "description": "Seconds for trying and training; what does not fit is listed as not finished.",
}


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One entry; `hyperparameters` maps each name to its JSON Schema, which always holds a default.

    A default of None means that training decides from the data; the manifest tells what was taken. The same name may
    stand for another entry in another kind of dataset. `base_model` says whether a job takes one.

    A schema may hold `search`, which validators pass over: where tuning looks, `{"low", "high", "log"}` or
    `{"choices"}`, with `tasks` and `when` (`{other hyper-parameter: values}`) where it matters for these only.

    quantizable: its models have, or those of `auto` may have, weights that `jobs.optimization` can make smaller.
    """

    name: str
    title: str
    summary: str
    kinds: tuple[str, ...]
    tasks: tuple[str, ...]
    hyperparameters: dict[str, dict[str, Any]]
    quantizable: bool = False
    base_model: Literal["none", "optional", "required"] = "none"

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a request's `hyperparameters` object."""
        return {"type": "object", "additionalProperties": False, "properties": self.hyperparameters}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "kinds": list(self.kinds),
            "tasks": list(self.tasks),
            "base_model": self.base_model,
            "hyperparameters": self.schema(),
            "quantizable": self.quantizable,
        }


def search_spaces(entry: Algorithm, task: str) -> dict[str, dict[str, Any]]:
    """What tuning searches for a task, in the order of the catalogue: `search` of each hyper-parameter that has it."""
    spaces = {name: schema["search"] for name, schema in entry.hyperparameters.items() if "search" in schema}
    return {name: space for name, space in spaces.items() if task in space.get("tasks", [task])}
