"""Forecasts with scikit-learn: boosted trees on lags, one for each step ahead."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor

from benchmarks.proofs.plain.files import write
from benchmarks.proofs.plain.series import windows

inputs, targets, last, scales = windows()
model = MultiOutputRegressor(HistGradientBoostingRegressor(random_state=0)).fit(inputs, targets)
write(np.asarray(model.predict(last)) * scales[:, None])
