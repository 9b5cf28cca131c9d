"""The checks themselves, a file for each subject; ``conformance.catalogue`` lists the files in the report's order."""
