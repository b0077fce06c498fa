"""Bundled extractor plugins; each module is one plugin."""
