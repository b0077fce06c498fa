"""Evaluating again what a run trained: what its scores are made of, and what becomes of them with less to see."""

from ercframe.evaluation.evaluation import SCHEMA_VERSION, Evaluation

__all__ = ["SCHEMA_VERSION", "Evaluation"]
