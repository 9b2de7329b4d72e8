"""Whole jobs over HTTP against plain scripts that do the same work with scikit-learn or Keras."""
