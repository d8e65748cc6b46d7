# Scripts for developers; they run from the source tree.
EXTRA_DIST += tools/check-includes
TESTS += tools/check-includes
