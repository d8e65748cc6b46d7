# net: who is let in, and the bytes that go to and fro.
noinst_LIBRARIES += libnet.a

libnet_a_SOURCES = \
	src/net/address.c \
	src/net/address.h \
	src/net/census.c \
	src/net/census.h \
	src/net/chain.c \
	src/net/chain.h \
	src/net/ciphers.c \
	src/net/ciphers.h \
	src/net/conn.c \
	src/net/conn.h \
	src/net/cork.c \
	src/net/cork.h \
	src/net/gate.c \
	src/net/gate.h \
	src/net/identity.c \
	src/net/identity.h \
	src/net/input.c \
	src/net/input.h \
	src/net/listen.c \
	src/net/listen.h \
	src/net/names.c \
	src/net/names.h \
	src/net/networks.c \
	src/net/networks.h \
	src/net/output.c \
	src/net/output.h \
	src/net/proxy.c \
	src/net/proxy.h \
	src/net/revocation.c \
	src/net/revocation.h \
	src/net/shaker.c \
	src/net/shaker.h \
	src/net/stream.c \
	src/net/stream.h \
	src/net/suspects.c \
	src/net/suspects.h \
	src/net/tls.c \
	src/net/tls.h

EXTRA_DIST += \
	src/net/.may_include \
	src/net/local.mk
