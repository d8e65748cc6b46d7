# wire: the jute codec, the protocol's records and constants, path rules.
noinst_LIBRARIES += libwire.a

libwire_a_SOURCES = \
	src/wire/jute.c \
	src/wire/jute.h \
	src/wire/path.c \
	src/wire/path.h \
	src/wire/proto.c \
	src/wire/proto.h \
	src/wire/zk_txn.c \
	src/wire/zk_txn.h

EXTRA_DIST += \
	src/wire/.may_include \
	src/wire/local.mk
