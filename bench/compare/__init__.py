"""Biaojie beside its peers: the same answers, in alternating slices on one core, judged by server CPU per answer."""
