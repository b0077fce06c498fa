"""Bundled loss plugins; each module is one plugin."""
