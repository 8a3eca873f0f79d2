"""The exit codes of all commands."""

PASSED, FAILED, USAGE, INCOMPLETE, NOTHING, FAULT, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 70, 130, 143
DAMAGED = USAGE  # a journal is an input file too
MEANING = (
    "Exit codes: 0 success; 1 some data failed; 2 wrong usage, schema, input file or model (a server rejects the key, "
    "the name or all records), or a damaged journal; 3 not completed (a model failed, or its account or the budget is "
    "used up: the message says what to do); 4 the input holds no data, or not the key; "
    "70 a fault of structout; 130 interrupted; 143 ended by SIGTERM."
)
