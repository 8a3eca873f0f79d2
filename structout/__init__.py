"""Language-model output that programs can rely on."""
