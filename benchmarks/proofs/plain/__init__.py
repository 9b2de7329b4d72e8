"""Scripts as people write them: files in, predictions of the held-out rows out."""
