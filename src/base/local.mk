# base: log, memory, buffers, containers, clock, timers, metrics.
noinst_LIBRARIES += libbase.a

libbase_a_SOURCES = \
	src/base/buf.c \
	src/base/buf.h \
	src/base/cdefs.h \
	src/base/clock.c \
	src/base/clock.h \
	src/base/crypto.c \
	src/base/crypto.h \
	src/base/hash.c \
	src/base/hash.h \
	src/base/hex.h \
	src/base/list.h \
	src/base/log.c \
	src/base/log.h \
	src/base/mem.c \
	src/base/mem.h \
	src/base/metrics.c \
	src/base/metrics.h \
	src/base/private_file.c \
	src/base/private_file.h \
	src/base/quote.c \
	src/base/quote.h \
	src/base/slice.h \
	src/base/sm.c \
	src/base/sm.h \
	src/base/snappy.c \
	src/base/snappy.h \
	src/base/summary.c \
	src/base/summary.h \
	src/base/tally.c \
	src/base/tally.h \
	src/base/timer.c \
	src/base/timer.h \
	src/base/utf8.h

EXTRA_DIST += \
	src/base/.may_include \
	src/base/local.mk
