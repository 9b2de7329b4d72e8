"""`python -m modelmill_client` is the `modelmill` command."""

from modelmill_client.cli import main

main()
