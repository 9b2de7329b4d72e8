"""The `modelmill` command."""

from modelmill_client.cli.app import main

__all__ = ["main"]
