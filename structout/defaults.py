"""The default model, the default strategy, and the edition of prompts."""

MODEL = "embedded"
# Constrain the answer where the model can, repair it otherwise, and ask once more if it is still invalid.
STRATEGY = "Reask(Repair(Constrained()))"
# The edition of prompts. Edition 1 is that of structout 0.1: runs and adapters that began with it go on with it.
EDITION = 2
