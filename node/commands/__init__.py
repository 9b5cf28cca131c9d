"""One file per command of `biaojie`."""
