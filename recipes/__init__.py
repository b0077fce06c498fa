"""Recipes that come with ercframe, installed as data."""
