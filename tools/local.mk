# Scripts for developers; they run from the source tree.
EXTRA_DIST += tools/common.sh tools/run tools/check tools/check-includes tools/check-complete \
	tools/make-certs tools/compare tools/compare_report.py tools/check-latest tools/snapshot-cost
TESTS += tools/check-includes tools/check-complete

# The load generator.
include tools/bench/local.mk
