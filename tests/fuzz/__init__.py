"""Random tries at all that reads what others wrote: a typed error or a well-formed answer, within bounds, each time."""
