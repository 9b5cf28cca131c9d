"""The version of this program, from its package metadata; "0+unknown" in a tree that was never installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("biaojie")
except PackageNotFoundError:
    VERSION = "0+unknown"
