"""Bundled yardsticks; each module is one plugin."""
