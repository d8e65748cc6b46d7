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
check_PROGRAMS += tests/unit/test_settle
TESTS += tests/unit/test_settle
tests_unit_test_settle_SOURCES = tests/unit/test_settle.c tests/lib/tmpdir.h
tests_unit_test_settle_LDADD = $(STORE_TEST_LIBS)

check_PROGRAMS += tests/unit/test_zk_write
TESTS += tests/unit/test_zk_write
tests_unit_test_zk_write_SOURCES = tests/unit/test_zk_write.c tests/lib/tmpdir.h
tests_unit_test_zk_write_LDADD = $(STORE_TEST_LIBS)
