# wire: one program a module.

check_PROGRAMS += tests/unit/test_jute
TESTS += tests/unit/test_jute
tests_unit_test_jute_SOURCES = tests/unit/test_jute.c
tests_unit_test_jute_LDADD = libwire.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_path
TESTS += tests/unit/test_path
tests_unit_test_path_SOURCES = tests/unit/test_path.c
tests_unit_test_path_LDADD = libwire.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_proto
TESTS += tests/unit/test_proto
tests_unit_test_proto_SOURCES = tests/unit/test_proto.c
tests_unit_test_proto_LDADD = libwire.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_zk_txn
TESTS += tests/unit/test_zk_txn
tests_unit_test_zk_txn_SOURCES = tests/unit/test_zk_txn.c
tests_unit_test_zk_txn_LDADD = libwire.a libbase.a $(CMOCKA_LIBS)
