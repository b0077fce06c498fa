"""Bundled importer plugins; each module is one plugin."""
