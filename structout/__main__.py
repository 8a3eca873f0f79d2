"""`python -m structout` is the command `structout`."""

from structout.cli import main

main()
