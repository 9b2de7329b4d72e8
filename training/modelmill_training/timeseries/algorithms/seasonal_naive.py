"""The last season, repeated."""

from typing import NamedTuple

import numpy as np

from modelmill_training.data import Floats
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.timeseries.algorithms import Model, Request
from modelmill_training.timeseries.frame import Names
from modelmill_training.timeseries.windows import Windows

REFITS = False
LIBRARIES = ()


class SeasonalNaive(NamedTuple):
    """Corrects nothing."""

    horizon: int

    def predict(self, windows: Windows) -> Floats:
        """See `Model`."""
        return np.zeros((len(windows.origin), self.horizon))

    def write(self, builder: GraphBuilder, names: Names) -> str:
        """See `Model`."""
        return builder.node("Sub", names.base, names.base)


def fit(request: Request) -> Model:
    """See `Builder`."""
    return SeasonalNaive(request.frame.form.horizon)
