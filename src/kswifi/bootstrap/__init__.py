"""The one place that knows every part: one module a process, so that neither loads the other's."""
