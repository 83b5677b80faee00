"""Scores as pure functions over numpy arrays, checked against the standard libraries in tests.

Import the module of the question: ``classify``, ``multilabel``, ``spans`` (how often right),
``text`` (how much of a reference was written), ``calibration`` (can probabilities be believed),
``selective`` (what silence buys), ``thresholds`` (when to give a label), ``bootstrap`` and
``compare`` (is it luck).
"""
