"""What is asked where nobody says otherwise."""

MODEL = "embedded"
# Held to the schema where the model can be, repaired where it could not be, and asked once more where neither did it.
STRATEGY = "Reask(Repair(Constrained()))"
