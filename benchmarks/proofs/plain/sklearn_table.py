"""A table with scikit-learn: scale, one-hot, fit."""

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks.proofs.plain.files import ARGUMENTS, TEST, TRAIN, table, write

CLASSIFIERS = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "svm": lambda: make_pipeline(StandardScaler(), SVC()),
    "decision_tree": lambda: DecisionTreeClassifier(random_state=0),
    "random_forest": lambda: RandomForestClassifier(n_jobs=-1, random_state=0),
    "gradient_boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}
REGRESSORS = {
    "linear": lambda: make_pipeline(StandardScaler(), LinearRegression()),
    "svm": lambda: TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler()),
    "decision_tree": lambda: DecisionTreeRegressor(random_state=0),
    "random_forest": lambda: RandomForestRegressor(n_jobs=-1, random_state=0),
    "gradient_boosting": lambda: HistGradientBoostingRegressor(random_state=0),
}

(numbers, words, target), (numbers_test, words_test, target_test) = table(TRAIN), table(TEST)
encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words) if words.shape[1] else None
features = np.hstack([numbers, encoder.transform(words)]) if encoder else numbers
features_test = np.hstack([numbers_test, encoder.transform(words_test)]) if encoder else numbers_test
estimator = (REGRESSORS if target.dtype.kind == "f" else CLASSIFIERS)[ARGUMENTS[0]]()
estimator.fit(features, target)
print("score", estimator.score(features_test, target_test))
write(estimator.predict(features_test))
