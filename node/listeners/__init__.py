"""Socket <-> codec <-> service, nothing else."""
