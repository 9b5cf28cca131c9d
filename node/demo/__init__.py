"""``biaojie demo``: a real node, real rows, real requests; every line is checked."""
