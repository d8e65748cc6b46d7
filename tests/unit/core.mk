# core: one program a module. Those of the requests run them whole, through a dispatch and a store.

check_PROGRAMS += tests/unit/test_access
TESTS += tests/unit/test_access
tests_unit_test_access_SOURCES = tests/unit/test_access.c
tests_unit_test_access_LDADD = libcore.a libwire.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_access_ip
TESTS += tests/unit/test_access_ip
tests_unit_test_access_ip_SOURCES = tests/unit/test_access_ip.c
tests_unit_test_access_ip_LDADD = libcore.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_access_x509
TESTS += tests/unit/test_access_x509
tests_unit_test_access_x509_SOURCES = tests/unit/test_access_x509.c tests/lib/x509_ids.h
tests_unit_test_access_x509_LDADD = libcore.a $(CMOCKA_LIBS)

# For tests/interop/test_x509_ids.sh.
check_PROGRAMS += tests/interop/x509_ids
tests_interop_x509_ids_SOURCES = tests/interop/x509_ids.c tests/lib/random.h tests/lib/x509_ids.h
tests_interop_x509_ids_LDADD = libcore.a

check_PROGRAMS += tests/unit/test_acl
TESTS += tests/unit/test_acl
tests_unit_test_acl_SOURCES = tests/unit/test_acl.c
tests_unit_test_acl_LDADD = libcore.a libwire.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_ages
TESTS += tests/unit/test_ages
tests_unit_test_ages_SOURCES = tests/unit/test_ages.c
tests_unit_test_ages_LDADD = libcore.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_dir
TESTS += tests/unit/test_dir
tests_unit_test_dir_SOURCES = tests/unit/test_dir.c
tests_unit_test_dir_LDADD = libcore.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_pace
TESTS += tests/unit/test_pace
tests_unit_test_pace_SOURCES = tests/unit/test_pace.c
tests_unit_test_pace_LDADD = libcore.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_quota_track
TESTS += tests/unit/test_quota_track
tests_unit_test_quota_track_SOURCES = tests/unit/test_quota_track.c
tests_unit_test_quota_track_LDADD = libcore.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_session
TESTS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c
tests_unit_test_session_LDADD = libcore.a libwire.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_trail
TESTS += tests/unit/test_trail
tests_unit_test_trail_SOURCES = tests/unit/test_trail.c
tests_unit_test_trail_LDADD = libcore.a libwire.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_repeats
TESTS += tests/unit/test_repeats
tests_unit_test_repeats_SOURCES = tests/unit/test_repeats.c
tests_unit_test_repeats_LDADD = libcore.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_throttle
TESTS += tests/unit/test_throttle
tests_unit_test_throttle_SOURCES = tests/unit/test_throttle.c
tests_unit_test_throttle_LDADD = libcore.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_watch
TESTS += tests/unit/test_watch
tests_unit_test_watch_SOURCES = tests/unit/test_watch.c
tests_unit_test_watch_LDADD = libcore.a libwire.a libbase.a $(CMOCKA_LIBS)

# The store in the test's hand stands before libstore.a, which gives the records alone.
FAKE_STORE = tests/lib/fake_store.c tests/lib/fake_store.h

check_PROGRAMS += tests/unit/test_tree
TESTS += tests/unit/test_tree
tests_unit_test_tree_SOURCES = tests/unit/test_tree.c $(FAKE_STORE)
tests_unit_test_tree_LDADD = libcore.a libstore.a libwire.a libbase.a $(CMOCKA_LIBS)

HEADLESS = tests/lib/headless.c tests/lib/headless.h tests/unit/registry_fixture.h
HEADLESS_LDADD = $(ZOOLITE_LDADD) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_headcount
TESTS += tests/unit/test_headcount
tests_unit_test_headcount_SOURCES = tests/unit/test_headcount.c $(HEADLESS)
tests_unit_test_headcount_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_quota
TESTS += tests/unit/test_quota
tests_unit_test_quota_SOURCES = tests/unit/test_quota.c $(HEADLESS)
tests_unit_test_quota_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_reaper
TESTS += tests/unit/test_reaper
tests_unit_test_reaper_SOURCES = tests/unit/test_reaper.c $(HEADLESS)
tests_unit_test_reaper_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_registry
TESTS += tests/unit/test_registry
tests_unit_test_registry_SOURCES = tests/unit/test_registry.c $(HEADLESS)
tests_unit_test_registry_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_registry_faults
TESTS += tests/unit/test_registry_faults
tests_unit_test_registry_faults_SOURCES = tests/unit/test_registry_faults.c $(HEADLESS) $(FAKE_STORE)
tests_unit_test_registry_faults_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_acl
TESTS += tests/unit/test_request_acl
tests_unit_test_request_acl_SOURCES = tests/unit/test_request_acl.c $(HEADLESS)
tests_unit_test_request_acl_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_create
TESTS += tests/unit/test_request_create
tests_unit_test_request_create_SOURCES = tests/unit/test_request_create.c $(HEADLESS)
tests_unit_test_request_create_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_data
TESTS += tests/unit/test_request_data
tests_unit_test_request_data_SOURCES = tests/unit/test_request_data.c $(HEADLESS)
tests_unit_test_request_data_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_multi
TESTS += tests/unit/test_request_multi
tests_unit_test_request_multi_SOURCES = tests/unit/test_request_multi.c $(HEADLESS)
tests_unit_test_request_multi_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_room
TESTS += tests/unit/test_request_room
tests_unit_test_request_room_SOURCES = tests/unit/test_request_room.c $(HEADLESS)
tests_unit_test_request_room_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_session
TESTS += tests/unit/test_request_session
tests_unit_test_request_session_SOURCES = tests/unit/test_request_session.c $(HEADLESS)
tests_unit_test_request_session_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_request_watches
TESTS += tests/unit/test_request_watches
tests_unit_test_request_watches_SOURCES = tests/unit/test_request_watches.c $(HEADLESS)
tests_unit_test_request_watches_LDADD = $(HEADLESS_LDADD)
