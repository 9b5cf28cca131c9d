"""The importing process: the file, the scratch space, the reject file and the run that ties them to the registrar."""
