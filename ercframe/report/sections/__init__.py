"""The sections of a report, each from what a run left to a :class:`~ercframe.report.page.Section`."""
