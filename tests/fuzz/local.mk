# Fuzz targets. make check replays their seeds; --enable-fuzz builds them with libFuzzer too:
#   tests/fuzz/fuzz_proto -max_total_time=60 CORPUS tests/fuzz/seeds/proto
check_PROGRAMS += tests/fuzz/replay_proto
TESTS += tests/fuzz/replay_proto
tests_fuzz_replay_proto_SOURCES = tests/fuzz/fuzz_proto.c tests/fuzz/replay.c
tests_fuzz_replay_proto_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/proto"'
tests_fuzz_replay_proto_LDADD = libwire.a libbase.a

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_proto
tests_fuzz_fuzz_proto_SOURCES = tests/fuzz/fuzz_proto.c
tests_fuzz_fuzz_proto_LDADD = libwire.a libbase.a
tests_fuzz_fuzz_proto_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_config
TESTS += tests/fuzz/replay_config
tests_fuzz_replay_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/replay.c
tests_fuzz_replay_config_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/config"'
tests_fuzz_replay_config_LDADD = libapp.a libnet.a libbase.a

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDADD = libapp.a libnet.a libbase.a
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_http_head
TESTS += tests/fuzz/replay_http_head
tests_fuzz_replay_http_head_SOURCES = tests/fuzz/fuzz_http_head.c tests/fuzz/replay.c
tests_fuzz_replay_http_head_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/http_head"'
tests_fuzz_replay_http_head_LDADD = libapp.a libbase.a

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_http_head
tests_fuzz_fuzz_http_head_SOURCES = tests/fuzz/fuzz_http_head.c
tests_fuzz_fuzz_http_head_LDADD = libapp.a libbase.a
tests_fuzz_fuzz_http_head_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_control_line
TESTS += tests/fuzz/replay_control_line
tests_fuzz_replay_control_line_SOURCES = tests/fuzz/fuzz_control_line.c tests/fuzz/replay.c
tests_fuzz_replay_control_line_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/control_line"'
tests_fuzz_replay_control_line_LDADD = libapp.a libcore.a libbase.a

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_control_line
tests_fuzz_fuzz_control_line_SOURCES = tests/fuzz/fuzz_control_line.c
tests_fuzz_fuzz_control_line_LDADD = libapp.a libcore.a libbase.a
tests_fuzz_fuzz_control_line_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_policy
TESTS += tests/fuzz/replay_policy
tests_fuzz_replay_policy_SOURCES = tests/fuzz/fuzz_policy.c tests/fuzz/replay.c
tests_fuzz_replay_policy_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/policy"'
tests_fuzz_replay_policy_LDADD = libapp.a libcore.a libwire.a libbase.a $(OPENSSL_LIBS)

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_policy
tests_fuzz_fuzz_policy_SOURCES = tests/fuzz/fuzz_policy.c
tests_fuzz_fuzz_policy_LDADD = libapp.a libcore.a libwire.a libbase.a $(OPENSSL_LIBS)
tests_fuzz_fuzz_policy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

# HEADLESS and FAKE_STORE: tests/unit/core.mk.
check_PROGRAMS += tests/fuzz/replay_dispatch
TESTS += tests/fuzz/replay_dispatch
tests_fuzz_replay_dispatch_SOURCES = tests/fuzz/fuzz_dispatch.c tests/fuzz/replay.c $(HEADLESS) $(FAKE_STORE)
tests_fuzz_replay_dispatch_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/dispatch"'
tests_fuzz_replay_dispatch_LDADD = $(HEADLESS_LDADD)

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_dispatch
tests_fuzz_fuzz_dispatch_SOURCES = tests/fuzz/fuzz_dispatch.c $(HEADLESS) $(FAKE_STORE)
tests_fuzz_fuzz_dispatch_LDADD = $(ZOOLITE_LDADD)
tests_fuzz_fuzz_dispatch_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_snappy
TESTS += tests/fuzz/replay_snappy
tests_fuzz_replay_snappy_SOURCES = tests/fuzz/fuzz_snappy.c tests/fuzz/replay.c
tests_fuzz_replay_snappy_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/snappy"'
tests_fuzz_replay_snappy_LDADD = libbase.a

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_snappy
tests_fuzz_fuzz_snappy_SOURCES = tests/fuzz/fuzz_snappy.c
tests_fuzz_fuzz_snappy_LDADD = libbase.a
tests_fuzz_fuzz_snappy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_zk_txn
TESTS += tests/fuzz/replay_zk_txn
tests_fuzz_replay_zk_txn_SOURCES = tests/fuzz/fuzz_zk_txn.c tests/fuzz/replay.c
tests_fuzz_replay_zk_txn_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/zk_txn"'
tests_fuzz_replay_zk_txn_LDADD = libwire.a libbase.a

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_zk_txn
tests_fuzz_fuzz_zk_txn_SOURCES = tests/fuzz/fuzz_zk_txn.c
tests_fuzz_fuzz_zk_txn_LDADD = libwire.a libbase.a
tests_fuzz_fuzz_zk_txn_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

# What reads ZooKeeper's files.
ZK_FUZZ_LIBS = libstore.a libwire.a libbase.a $(SQLITE_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/fuzz/replay_zk_snapshot
TESTS += tests/fuzz/replay_zk_snapshot
tests_fuzz_replay_zk_snapshot_SOURCES = tests/fuzz/fuzz_zk_snapshot.c tests/fuzz/replay.c tests/lib/memfile.h
tests_fuzz_replay_zk_snapshot_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/zk_snapshot"'
tests_fuzz_replay_zk_snapshot_LDADD = $(ZK_FUZZ_LIBS)

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_zk_snapshot
tests_fuzz_fuzz_zk_snapshot_SOURCES = tests/fuzz/fuzz_zk_snapshot.c tests/lib/memfile.h
tests_fuzz_fuzz_zk_snapshot_LDADD = $(ZK_FUZZ_LIBS)
tests_fuzz_fuzz_zk_snapshot_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

check_PROGRAMS += tests/fuzz/replay_zk_log
TESTS += tests/fuzz/replay_zk_log
tests_fuzz_replay_zk_log_SOURCES = tests/fuzz/fuzz_zk_log.c tests/fuzz/replay.c tests/lib/memfile.h
tests_fuzz_replay_zk_log_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/zk_log"'
tests_fuzz_replay_zk_log_LDADD = $(ZK_FUZZ_LIBS)

if ENABLE_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_zk_log
tests_fuzz_fuzz_zk_log_SOURCES = tests/fuzz/fuzz_zk_log.c tests/lib/memfile.h
tests_fuzz_fuzz_zk_log_LDADD = $(ZK_FUZZ_LIBS)
tests_fuzz_fuzz_zk_log_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
endif

# The seeds are checked in; tests/fuzz/make-seeds tests/fuzz/seeds writes them anew.
EXTRA_DIST += \
	tests/fuzz/local.mk \
	tests/fuzz/make-seeds \
	tests/fuzz/seeds
