"""Bundled extractor plugins; each module is one plugin, or a part that several of them use."""
