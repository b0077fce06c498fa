"""Extracting features: in batches, by several processes where files are read, going on where it stopped."""
