"""What the drivers of the clients share: calls come in as lines of JSON, and what they gave goes out as such."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Call = dict[str, Any]


def serve(make: Callable[[Call], Any]) -> None:
    """Make each call; an error of the client is told by its type and text."""
    for line in sys.stdin:
        try:
            told = {"result": make(json.loads(line))}
        except Exception as error:  # noqa: BLE001 whatever the client raises is what the test asks for
            told = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(told), flush=True)


def headers(call: Call) -> dict[str, str]:
    """Fresh for each call, since the clients add to them."""
    return {"x-api-key": call["key"]} if call["key"] else {}


def array_of(tensor: dict[str, Any], dtype: Any) -> np.ndarray:
    """The data of an input."""
    return np.array(tensor["data"], dtype).reshape(tensor["shape"])


def tensor_of(datatype: str, array: np.ndarray) -> dict[str, Any]:
    """An output as the client gave it; texts come as bytes where they were binary."""
    data = [value.decode() if isinstance(value, bytes) else value for value in array.ravel().tolist()]
    return {"datatype": datatype, "shape": list(array.shape), "data": data}
