"""The commands of ``biaojie bench`` that measure one server: options in, a load, a result document out."""
