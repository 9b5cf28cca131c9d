"""Read policies: stages that may answer before, or filter after, the look-up."""
