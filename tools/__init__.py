"""The verbs: train, test, export, run the pipeline, rank. Each file is a command."""
