# Programs that tests of the whole server call.
check_PROGRAMS += tests/lib/fill_tree
tests_lib_fill_tree_SOURCES = tests/lib/fill_tree.c
tests_lib_fill_tree_LDADD = libstore.a libbase.a $(SQLITE_LIBS) $(OPENSSL_LIBS)
