"""The exit codes."""

PASSED, FAILED, USAGE, INCOMPLETE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130
DAMAGED = USAGE  # a journal is an input file too
MEANING = (
    "Exit codes: 0 all is well; 1 some data failed; 2 wrong usage, schema or input file, or a damaged journal; "
    "3 could not be completed (a model failed); 4 nothing was there to check; 130 interrupted."
)
