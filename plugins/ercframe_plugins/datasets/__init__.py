"""Bundled dataset plugins; each module is one plugin."""
