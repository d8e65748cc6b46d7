# Tests of the whole program: pytest and executables that tools/check starts. Whole folders go into the tarball, so
# that a new file needs no line here.
EXTRA_DIST += tests/conftest.py tests/system tests/interop tests/fault tests/install tests/lib tests/compat.md
