"""The exit codes of all commands."""

PASSED, FAILED, USAGE, INCOMPLETE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130
DAMAGED = USAGE  # a journal is an input file too
MEANING = (
    "Exit codes: 0 success; 1 some data failed; 2 wrong usage, schema or input file, or a damaged journal; "
    "3 not completed (a model failed); 4 the input holds no data, or not the key; 130 interrupted."
)
