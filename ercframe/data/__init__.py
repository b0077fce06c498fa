"""Dialogues, bundles and batches."""
