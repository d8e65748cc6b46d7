# store: the files of one data directory, each module over real SQLite in a directory of its own.
STORE_TEST_LIBS = libstore.a libbase.a $(CMOCKA_LIBS) $(SQLITE_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_record
TESTS += tests/unit/test_record
tests_unit_test_record_SOURCES = tests/unit/test_record.c tests/lib/random.h
tests_unit_test_record_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_audit
TESTS += tests/unit/test_audit
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c
tests_unit_test_audit_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_vfs
TESTS += tests/unit/test_vfs
tests_unit_test_vfs_SOURCES = tests/unit/test_vfs.c tests/lib/baddisk.h tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_vfs_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_checksum
TESTS += tests/unit/test_checksum
tests_unit_test_checksum_SOURCES = tests/unit/test_checksum.c tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_checksum_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_upgrade
TESTS += tests/unit/test_upgrade
tests_unit_test_upgrade_SOURCES = tests/unit/test_upgrade.c tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_upgrade_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_rows
TESTS += tests/unit/test_rows
tests_unit_test_rows_SOURCES = tests/unit/test_rows.c tests/lib/baddisk.h tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_rows_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_segment
TESTS += tests/unit/test_segment
tests_unit_test_segment_SOURCES = tests/unit/test_segment.c tests/lib/baddisk.h tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_segment_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_store
TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_store_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_found
TESTS += tests/unit/test_found
tests_unit_test_found_SOURCES = tests/unit/test_found.c tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_found_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_marker
TESTS += tests/unit/test_marker
tests_unit_test_marker_SOURCES = tests/unit/test_marker.c tests/lib/baddisk.h tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_marker_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_room
TESTS += tests/unit/test_room
tests_unit_test_room_SOURCES = tests/unit/test_room.c tests/lib/tmpdir.h
tests_unit_test_room_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_visitor
TESTS += tests/unit/test_visitor
tests_unit_test_visitor_SOURCES = tests/unit/test_visitor.c tests/lib/tmpdir.h
tests_unit_test_visitor_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_tree_wal
TESTS += tests/unit/test_tree_wal
tests_unit_test_tree_wal_SOURCES = tests/unit/test_tree_wal.c tests/lib/baddisk.h tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_tree_wal_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_sync_names
TESTS += tests/unit/test_sync_names
tests_unit_test_sync_names_SOURCES = tests/unit/test_sync_names.c tests/lib/tmpdir.h tests/unit/capture.h
tests_unit_test_sync_names_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_verify
TESTS += tests/unit/test_verify
tests_unit_test_verify_SOURCES = tests/unit/test_verify.c tests/lib/faultvfs.c tests/lib/faultvfs.h tests/lib/tmpdir.h \
	tests/unit/tree_fixture.h
tests_unit_test_verify_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_snapshot
TESTS += tests/unit/test_snapshot
tests_unit_test_snapshot_SOURCES = tests/unit/test_snapshot.c tests/lib/baddisk.h tests/lib/tmpdir.h tests/unit/tree_fixture.h
tests_unit_test_snapshot_LDADD = $(STORE_TEST_LIBS)
check_PROGRAMS += tests/unit/test_inspect
TESTS += tests/unit/test_inspect
tests_unit_test_inspect_SOURCES = tests/unit/test_inspect.c tests/lib/tmpdir.h
tests_unit_test_inspect_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_remnant
TESTS += tests/unit/test_remnant
tests_unit_test_remnant_SOURCES = tests/unit/test_remnant.c tests/lib/tmpdir.h
tests_unit_test_remnant_LDADD = $(STORE_TEST_LIBS)
# What reads ZooKeeper's files. tests/unit/zk/make-data writes them anew, with Debian's ZooKeeper.
ZK_TEST_LIBS = libstore.a libwire.a libbase.a $(CMOCKA_LIBS) $(SQLITE_LIBS) $(OPENSSL_LIBS) $(ZLIB_LIBS)

check_PROGRAMS += tests/unit/test_import
TESTS += tests/unit/test_import
tests_unit_test_import_SOURCES = tests/unit/test_import.c tests/lib/tmpdir.h
tests_unit_test_import_LDADD = $(ZK_TEST_LIBS)

check_PROGRAMS += tests/unit/test_import_tree
TESTS += tests/unit/test_import_tree
tests_unit_test_import_tree_SOURCES = tests/unit/test_import_tree.c tests/lib/tmpdir.h
tests_unit_test_import_tree_LDADD = $(ZK_TEST_LIBS)

check_PROGRAMS += tests/unit/test_zk_stream
TESTS += tests/unit/test_zk_stream
tests_unit_test_zk_stream_SOURCES = tests/unit/test_zk_stream.c tests/lib/memfile.h
tests_unit_test_zk_stream_LDADD = $(ZK_TEST_LIBS)

check_PROGRAMS += tests/unit/test_zk_snapshot
TESTS += tests/unit/test_zk_snapshot
tests_unit_test_zk_snapshot_SOURCES = tests/unit/test_zk_snapshot.c tests/lib/memfile.h
tests_unit_test_zk_snapshot_LDADD = $(ZK_TEST_LIBS)

check_PROGRAMS += tests/unit/test_zk_log
TESTS += tests/unit/test_zk_log
tests_unit_test_zk_log_SOURCES = tests/unit/test_zk_log.c tests/lib/memfile.h
tests_unit_test_zk_log_LDADD = $(ZK_TEST_LIBS)

EXTRA_DIST += tests/unit/zk
check_PROGRAMS += tests/unit/test_settle
TESTS += tests/unit/test_settle
tests_unit_test_settle_SOURCES = tests/unit/test_settle.c tests/lib/tmpdir.h
tests_unit_test_settle_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_zk_write
TESTS += tests/unit/test_zk_write
tests_unit_test_zk_write_SOURCES = tests/unit/test_zk_write.c tests/lib/tmpdir.h
tests_unit_test_zk_write_LDADD = $(ZK_TEST_LIBS)
