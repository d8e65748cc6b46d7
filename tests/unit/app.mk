# The configuration: what ZooKeeper's files say, and what is wrong with them.
check_PROGRAMS += tests/unit/test_properties tests/unit/test_config
TESTS += tests/unit/test_properties tests/unit/test_config

tests_unit_test_properties_SOURCES = tests/unit/test_properties.c
tests_unit_test_properties_LDADD = libapp.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/lib/tmpdir.h
tests_unit_test_config_LDADD = libapp.a libnet.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

# What dispatch, latencies and words say of a registry without a network (HEADLESS: core.mk).
check_PROGRAMS += tests/unit/test_dispatch
TESTS += tests/unit/test_dispatch
tests_unit_test_dispatch_SOURCES = tests/unit/test_dispatch.c $(HEADLESS)
tests_unit_test_dispatch_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_fourlw
TESTS += tests/unit/test_fourlw
tests_unit_test_fourlw_SOURCES = tests/unit/test_fourlw.c tests/unit/view_fixture.h $(HEADLESS)
tests_unit_test_fourlw_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_latency
TESTS += tests/unit/test_latency
tests_unit_test_latency_SOURCES = tests/unit/test_latency.c
tests_unit_test_latency_LDADD = $(ZOOLITE_LDADD) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_alarms
TESTS += tests/unit/test_alarms
tests_unit_test_alarms_SOURCES = tests/unit/test_alarms.c tests/unit/capture.h
tests_unit_test_alarms_LDADD = $(ZOOLITE_LDADD) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_turn
TESTS += tests/unit/test_turn
tests_unit_test_turn_SOURCES = tests/unit/test_turn.c tests/unit/capture.h
tests_unit_test_turn_LDADD = libapp.a libbase.a $(CMOCKA_LIBS)

# Plays net/conn and the gate itself.
check_PROGRAMS += tests/unit/test_peers
TESTS += tests/unit/test_peers
tests_unit_test_peers_SOURCES = tests/unit/test_peers.c $(HEADLESS)
tests_unit_test_peers_LDADD = $(HEADLESS_LDADD)

# HTTP: the parser alone, JSON alone, and answers over a registry without a network.
check_PROGRAMS += tests/unit/test_http_head tests/unit/test_json tests/unit/test_http
TESTS += tests/unit/test_http_head tests/unit/test_json tests/unit/test_http
tests_unit_test_http_head_SOURCES = tests/unit/test_http_head.c
tests_unit_test_http_head_LDADD = libapp.a libbase.a $(CMOCKA_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_LDADD = libapp.a libbase.a $(CMOCKA_LIBS)
tests_unit_test_http_SOURCES = tests/unit/test_http.c tests/unit/view_fixture.h $(HEADLESS)
tests_unit_test_http_LDADD = $(HEADLESS_LDADD)

# Lines of the control socket, as the server reads them and zoolited --control writes them.
check_PROGRAMS += tests/unit/test_control_line
TESTS += tests/unit/test_control_line
tests_unit_test_control_line_SOURCES = tests/unit/test_control_line.c
tests_unit_test_control_line_LDADD = libapp.a libcore.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

# What its commands do to a registry without a network.
check_PROGRAMS += tests/unit/test_control_commands
TESTS += tests/unit/test_control_commands
tests_unit_test_control_commands_SOURCES = tests/unit/test_control_commands.c tests/unit/capture.h tests/unit/view_fixture.h $(HEADLESS)
tests_unit_test_control_commands_LDADD = $(HEADLESS_LDADD)

check_PROGRAMS += tests/unit/test_stamps
TESTS += tests/unit/test_stamps
tests_unit_test_stamps_SOURCES = tests/unit/test_stamps.c tests/lib/tmpdir.h
tests_unit_test_stamps_LDADD = libapp.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

# Plays connections, the gate and the registry itself.
check_PROGRAMS += tests/unit/test_sweep
TESTS += tests/unit/test_sweep
tests_unit_test_sweep_SOURCES = tests/unit/test_sweep.c tests/unit/capture.h
tests_unit_test_sweep_LDADD = libapp.a libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_validity
TESTS += tests/unit/test_validity
tests_unit_test_validity_SOURCES = tests/unit/test_validity.c tests/unit/capture.h
tests_unit_test_validity_LDADD = libapp.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_losses
TESTS += tests/unit/test_losses
tests_unit_test_losses_SOURCES = tests/unit/test_losses.c tests/lib/tmpdir.h
tests_unit_test_losses_LDADD = $(ZOOLITE_LDADD) $(CMOCKA_LIBS)

# The policy, as its file says it.
check_PROGRAMS += tests/unit/test_policy tests/unit/test_policy_file
TESTS += tests/unit/test_policy tests/unit/test_policy_file
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c tests/lib/random.h
tests_unit_test_policy_LDADD = libapp.a libcore.a libwire.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)
tests_unit_test_policy_file_SOURCES = tests/unit/test_policy_file.c tests/lib/tmpdir.h
tests_unit_test_policy_file_LDADD = libapp.a libcore.a libwire.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

# Is the process that verifies as well.
check_PROGRAMS += tests/unit/test_keeper
TESTS += tests/unit/test_keeper
tests_unit_test_keeper_SOURCES = tests/unit/test_keeper.c tests/lib/tmpdir.h
tests_unit_test_keeper_LDADD = $(ZOOLITE_LDADD) $(CMOCKA_LIBS)
