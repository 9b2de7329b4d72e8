"""Texts with scikit-learn: n-grams of characters, TF-IDF, logistic regression; it needs no validation rows."""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.proofs.plain.files import TEST, TRAIN, VALIDATION, columns, write

train, validation, test = (columns(path) for path in (TRAIN, VALIDATION, TEST))
vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
model = make_pipeline(vectorizer, LogisticRegression(C=4, max_iter=1000))
model.fit(train["text"] + validation["text"], train["label"] + validation["label"])
print("accuracy", model.score(test["text"], test["label"]))
write(model.predict(test["text"]))
