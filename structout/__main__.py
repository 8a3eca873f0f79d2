"""The command `structout`, run as `python -m structout`."""

from structout.cli import main

main()
