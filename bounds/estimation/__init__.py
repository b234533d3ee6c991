"""Estimation of interactions from samples, with error bars.

Samples become symbols (`discretize`), symbols counts (`samples`), counts what
is known (`evidence`), and that interactions with error bars (`quantify`) and
advice (`decisions`). `classifiers` and `study` begin with features instead.
"""
