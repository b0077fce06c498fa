"""Trackers that come with ercframe."""
