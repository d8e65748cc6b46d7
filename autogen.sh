#!/bin/sh
# Make configure from configure.ac: needs autoconf, automake and pkg-config.
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all,no-portability
