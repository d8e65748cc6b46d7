# zoolite-bench: load on any server that speaks ZooKeeper's protocol; installed.
bin_PROGRAMS += tools/zoolite-bench
dist_man_MANS += tools/bench/zoolite-bench.1

tools_zoolite_bench_SOURCES = \
	tools/bench/await.c \
	tools/bench/await.h \
	tools/bench/conn.c \
	tools/bench/conn.h \
	tools/bench/connects.c \
	tools/bench/connects.h \
	tools/bench/driver.c \
	tools/bench/driver.h \
	tools/bench/histogram.c \
	tools/bench/histogram.h \
	tools/bench/lock.c \
	tools/bench/lock.h \
	tools/bench/loop.c \
	tools/bench/loop.h \
	tools/bench/main.c \
	tools/bench/member.c \
	tools/bench/member.h \
	tools/bench/options.c \
	tools/bench/options.h \
	tools/bench/picker.c \
	tools/bench/picker.h \
	tools/bench/process.c \
	tools/bench/process.h \
	tools/bench/report.c \
	tools/bench/report.h \
	tools/bench/request.c \
	tools/bench/request.h \
	tools/bench/session.c \
	tools/bench/session.h \
	tools/bench/signals.c \
	tools/bench/signals.h \
	tools/bench/storm.c \
	tools/bench/storm.h \
	tools/bench/stream.c \
	tools/bench/stream.h \
	tools/bench/target.c \
	tools/bench/target.h \
	tools/bench/workload.c \
	tools/bench/workload.h
tools_zoolite_bench_CFLAGS = $(AM_CFLAGS) $(CONVERSION_CFLAGS)
tools_zoolite_bench_LDADD = libwire.a libbase.a $(OPENSSL_LIBS) -lm

# What is to be had at most: the limit that tools/compare measures beside the servers.
noinst_PROGRAMS += tools/zoolite-limit
tools_zoolite_limit_SOURCES = \
	tools/bench/limit.c \
	tools/bench/limit_log.c \
	tools/bench/limit_log.h \
	tools/bench/limit_reply.c \
	tools/bench/limit_reply.h
tools_zoolite_limit_CFLAGS = $(AM_CFLAGS) $(CONVERSION_CFLAGS)
tools_zoolite_limit_LDADD = libnet.a libwire.a libbase.a $(EVENT_LIBS) $(OPENSSL_LIBS)

EXTRA_DIST += tools/bench/local.mk

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_bench_histogram tests/unit/test_bench_picker
TESTS += tests/unit/test_bench_histogram tests/unit/test_bench_picker
tests_unit_test_bench_histogram_SOURCES = tests/unit/test_bench_histogram.c \
	tools/bench/histogram.c tools/bench/histogram.h
tests_unit_test_bench_histogram_LDADD = $(CMOCKA_LIBS)
tests_unit_test_bench_picker_SOURCES = tests/unit/test_bench_picker.c \
	tools/bench/picker.c tools/bench/picker.h
tests_unit_test_bench_picker_LDADD = libbase.a $(CMOCKA_LIBS) -lm
endif
