"""Bundled classifier plugins; each module is one plugin."""
