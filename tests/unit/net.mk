# net: one program a module (address is tested with census, stream with conn, shaker and listen with gate).
check_LIBRARIES += tests/lib/libpki.a
tests_lib_libpki_a_SOURCES = \
	tests/lib/certs.c \
	tests/lib/certs.h \
	tests/lib/pki.c \
	tests/lib/pki.h \
	tests/lib/subjects.c \
	tests/lib/subjects.h

net_test_ldadd = tests/lib/libpki.a libnet.a libwire.a libbase.a \
	$(CMOCKA_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_output
TESTS += tests/unit/test_output
tests_unit_test_output_SOURCES = tests/unit/test_output.c
tests_unit_test_output_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_input
TESTS += tests/unit/test_input
tests_unit_test_input_SOURCES = tests/unit/test_input.c
tests_unit_test_input_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_census
TESTS += tests/unit/test_census
tests_unit_test_census_SOURCES = tests/unit/test_census.c
tests_unit_test_census_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_identity
TESTS += tests/unit/test_identity
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c
tests_unit_test_identity_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_names
TESTS += tests/unit/test_names
tests_unit_test_names_SOURCES = tests/unit/test_names.c
tests_unit_test_names_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_tls
TESTS += tests/unit/test_tls
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c
tests_unit_test_tls_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_gate
TESTS += tests/unit/test_gate
tests_unit_test_gate_SOURCES = tests/unit/test_gate.c tests/unit/capture.h
tests_unit_test_gate_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_conn
TESTS += tests/unit/test_conn
tests_unit_test_conn_SOURCES = tests/unit/test_conn.c tests/unit/capture.h
tests_unit_test_conn_LDADD = $(net_test_ldadd)

# For tests/interop/test_subject_names.sh.
check_PROGRAMS += tests/interop/subject_names
tests_interop_subject_names_SOURCES = tests/interop/subject_names.c
tests_interop_subject_names_LDADD = $(net_test_ldadd)

check_PROGRAMS += tests/unit/test_address
TESTS += tests/unit/test_address
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_LDADD = libnet.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_networks
TESTS += tests/unit/test_networks
tests_unit_test_networks_SOURCES = tests/unit/test_networks.c tests/lib/tmpdir.h tests/unit/address_at.h
tests_unit_test_networks_LDADD = libnet.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_proxy
TESTS += tests/unit/test_proxy
tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c tests/lib/random.h
tests_unit_test_proxy_LDADD = libnet.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/unit/test_suspects
TESTS += tests/unit/test_suspects
tests_unit_test_suspects_SOURCES = tests/unit/test_suspects.c tests/unit/address_at.h
tests_unit_test_suspects_LDADD = libnet.a libbase.a $(CMOCKA_LIBS) $(OPENSSL_LIBS)
