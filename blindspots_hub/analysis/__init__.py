"""Functions from measured tables to tables and figures."""
