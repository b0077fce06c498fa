"""Bundled fusion plugins; each module is one plugin."""
