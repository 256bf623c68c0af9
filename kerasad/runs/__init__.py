"""The RUN folder, and the verbs of the command line."""
