"""Predicting the emotions of conversations that are in no bundle."""
