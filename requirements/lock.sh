#!/bin/sh
# Resolve pyproject.toml into exact versions with hashes: run.txt (a node), build.txt (the build back-end),
# sm.txt (the extra `sm`), dev.txt (everything, consistent with the others). Usage: lock.sh PIP-COMPILE (or `make lock`).
set -eu
cd "$(dirname "$0")/.."
compile=${1:?path of pip-compile}
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL || true
export CUSTOM_COMPILE_COMMAND="make lock"
set -- --quiet --strip-extras --generate-hashes --allow-unsafe \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
"$compile" "$@" --output-file requirements/run.txt pyproject.toml
"$compile" "$@" --output-file requirements/build.txt --constraint requirements/run.txt requirements/build.in
"$compile" "$@" --output-file requirements/sm.txt --constraint requirements/run.txt requirements/sm.in
"$compile" "$@" --output-file requirements/dev.txt --extra dev \
  --constraint requirements/run.txt --constraint requirements/build.txt --constraint requirements/sm.txt pyproject.toml
