"""The default model and the default strategy."""

MODEL = "embedded"
# Constrain the answer where the model can, repair it otherwise, and ask once more if it is still invalid.
STRATEGY = "Reask(Repair(Constrained()))"
