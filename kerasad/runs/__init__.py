"""The RUN folder, and one file for each verb of the command line."""
