# base: one program a module; list and slice share one.

check_PROGRAMS += tests/unit/test_buf
TESTS += tests/unit/test_buf
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_clock
TESTS += tests/unit/test_clock
tests_unit_test_clock_SOURCES = tests/unit/test_clock.c
tests_unit_test_clock_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_crypto
TESTS += tests/unit/test_crypto
tests_unit_test_crypto_SOURCES = tests/unit/test_crypto.c
tests_unit_test_crypto_LDADD = libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_private_file
TESTS += tests/unit/test_private_file
tests_unit_test_private_file_SOURCES = tests/unit/test_private_file.c tests/lib/tmpdir.h
tests_unit_test_private_file_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_tally
TESTS += tests/unit/test_tally
tests_unit_test_tally_SOURCES = tests/unit/test_tally.c
tests_unit_test_tally_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_hash
TESTS += tests/unit/test_hash
tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_list
TESTS += tests/unit/test_list
tests_unit_test_list_SOURCES = tests/unit/test_list.c
tests_unit_test_list_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_log
TESTS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/capture.h
tests_unit_test_log_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_mem
TESTS += tests/unit/test_mem
tests_unit_test_mem_SOURCES = tests/unit/test_mem.c tests/unit/capture.h
tests_unit_test_mem_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_metrics
TESTS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_sm
TESTS += tests/unit/test_sm
tests_unit_test_sm_SOURCES = tests/unit/test_sm.c tests/unit/capture.h
tests_unit_test_sm_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_timer
TESTS += tests/unit/test_timer
tests_unit_test_timer_SOURCES = tests/unit/test_timer.c
tests_unit_test_timer_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_summary
TESTS += tests/unit/test_summary
tests_unit_test_summary_SOURCES = tests/unit/test_summary.c
tests_unit_test_summary_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_quote
TESTS += tests/unit/test_quote
tests_unit_test_quote_SOURCES = tests/unit/test_quote.c
tests_unit_test_quote_LDADD = libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_snappy
TESTS += tests/unit/test_snappy
tests_unit_test_snappy_SOURCES = tests/unit/test_snappy.c
tests_unit_test_snappy_LDADD = libbase.a $(CMOCKA_LIBS)
