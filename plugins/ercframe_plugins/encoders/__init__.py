"""Bundled encoder plugins; each module is one plugin."""
