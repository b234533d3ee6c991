"""Experiment configurations: runnable documentation."""
