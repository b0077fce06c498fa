"""Bundled losse plugins; each module is one plugin."""
