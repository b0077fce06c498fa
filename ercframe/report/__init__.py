"""What people see of a run; reads what the run folder holds, and nothing else."""

from ercframe.report.table import result_table

__all__ = ["result_table"]
