"""Bundled transform plugins; each module is one plugin."""
