"""Reports of an experiment as tables, HTML pages and figures."""
