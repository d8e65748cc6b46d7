# Power cuts: the store under the trace VFS of tests/lib, and stores with a fault built in, in which the same test must
# find a loss.
POWERCUT_SOURCES = \
	tests/fault/powercut.c \
	tests/fault/powercut.h \
	tests/lib/effort.h \
	tests/lib/random.h \
	tests/lib/tmpdir.h \
	tests/lib/tracevfs.c \
	tests/lib/tracevfs.h
STORE_RUN_SOURCES = \
	tests/fault/store_model.c \
	tests/fault/store_model.h \
	tests/fault/store_run.c \
	tests/fault/store_run.h \
	$(POWERCUT_SOURCES)
POWERCUT_STORE_SOURCES = \
	tests/fault/test_powercut.c \
	$(STORE_RUN_SOURCES)
POWERCUT_LIBS = libbase.a $(SQLITE_LIBS) $(OPENSSL_LIBS)

check_PROGRAMS += tests/fault/test_powercut
TESTS += tests/fault/test_powercut
tests_fault_test_powercut_SOURCES = $(POWERCUT_STORE_SOURCES)
tests_fault_test_powercut_LDADD = libstore.a $(POWERCUT_LIBS)

# The store with its labelled points, and one that unlinks what the tree does not have on disk.
check_LIBRARIES += libstore_points.a libstore_points_early_unlink.a
libstore_points_a_SOURCES = $(libstore_a_SOURCES)
libstore_points_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_POINTS
libstore_points_early_unlink_a_SOURCES = $(libstore_a_SOURCES)
libstore_points_early_unlink_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_POINTS -DZOOLITE_MUTANT_EARLY_UNLINK
POINTS_SOURCES = tests/fault/test_points.c $(STORE_RUN_SOURCES)

check_PROGRAMS += tests/fault/test_points tests/fault/mutant_points_early_unlink
TESTS += tests/fault/test_points
tests_fault_test_points_SOURCES = $(POINTS_SOURCES)
tests_fault_test_points_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_POINTS
tests_fault_test_points_LDADD = libstore_points.a $(POWERCUT_LIBS)
tests_fault_mutant_points_early_unlink_SOURCES = $(POINTS_SOURCES)
tests_fault_mutant_points_early_unlink_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_POINTS
tests_fault_mutant_points_early_unlink_LDADD = libstore_points_early_unlink.a $(POWERCUT_LIBS)

# What tests/fault/test_history.py runs beside a server.
check_PROGRAMS += tests/fault/history_run
tests_fault_history_run_SOURCES = \
	tests/fault/history.c \
	tests/fault/history.h \
	tests/fault/history_run.c \
	tests/lib/random.h \
	tools/bench/stream.c \
	tools/bench/stream.h
tests_fault_history_run_LDADD = libstore.a libwire.a $(POWERCUT_LIBS)

# The server of tests/fault/test_every_alloc.py.
check_PROGRAMS += tests/fault/zoolited_alloc
tests_fault_zoolited_alloc_SOURCES = src/app/main.c tests/fault/failing_memory.c
tests_fault_zoolited_alloc_LDADD = $(ZOOLITE_LDADD)

# Each call to the disk fails.
EVERY_IO_SOURCES = \
	tests/fault/test_every_io.c \
	tests/lib/effort.h \
	tests/lib/faultvfs.c \
	tests/lib/faultvfs.h \
	tests/lib/random.h \
	tests/lib/tmpdir.h

check_PROGRAMS += tests/fault/test_every_io
TESTS += tests/fault/test_every_io
tests_fault_test_every_io_SOURCES = $(EVERY_IO_SOURCES)
tests_fault_test_every_io_LDADD = libstore.a $(POWERCUT_LIBS)

# The store goes on where a commit failed.
check_LIBRARIES += libstore_failed_commit.a
libstore_failed_commit_a_SOURCES = $(libstore_a_SOURCES)
libstore_failed_commit_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_MUTANT_FAILED_COMMIT
check_PROGRAMS += tests/fault/mutant_io_failed_commit
tests_fault_mutant_io_failed_commit_SOURCES = $(EVERY_IO_SOURCES)
tests_fault_mutant_io_failed_commit_LDADD = libstore_failed_commit.a $(POWERCUT_LIBS)

check_PROGRAMS += tests/fault/test_killed_start
TESTS += tests/fault/test_killed_start
tests_fault_test_killed_start_SOURCES = \
	tests/fault/test_killed_start.c \
	tests/lib/random.h \
	tests/lib/tmpdir.h \
	tests/lib/tracevfs.c \
	tests/lib/tracevfs.h
tests_fault_test_killed_start_LDADD = libstore.a $(POWERCUT_LIBS)

check_LIBRARIES += libstore_no_flush.a libstore_replay_unflushed.a libstore_early_unlink.a libstore_no_start_sync.a
libstore_no_flush_a_SOURCES = $(libstore_a_SOURCES)
libstore_no_flush_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_MUTANT_NO_FLUSH
libstore_replay_unflushed_a_SOURCES = $(libstore_a_SOURCES)
libstore_replay_unflushed_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_MUTANT_REPLAY_UNFLUSHED
libstore_early_unlink_a_SOURCES = $(libstore_a_SOURCES)
libstore_early_unlink_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_MUTANT_EARLY_UNLINK
libstore_no_start_sync_a_SOURCES = $(libstore_a_SOURCES)
libstore_no_start_sync_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_MUTANT_NO_START_SYNC

check_PROGRAMS += \
	tests/fault/mutant_no_flush \
	tests/fault/mutant_early_unlink \
	tests/fault/mutant_no_start_sync
tests_fault_mutant_no_flush_SOURCES = $(POWERCUT_STORE_SOURCES)
tests_fault_mutant_no_flush_LDADD = libstore_no_flush.a $(POWERCUT_LIBS)
tests_fault_mutant_early_unlink_SOURCES = $(POWERCUT_STORE_SOURCES)
tests_fault_mutant_early_unlink_LDADD = libstore_early_unlink.a $(POWERCUT_LIBS)
tests_fault_mutant_no_start_sync_SOURCES = $(POWERCUT_STORE_SOURCES)
tests_fault_mutant_no_start_sync_LDADD = libstore_no_start_sync.a $(POWERCUT_LIBS)

# The same under the whole core without a network, and a fault in what holds replies back.
POWERCUT_CORE_SOURCES = \
	tests/fault/test_powercut_core.c \
	tests/fault/core_model.c \
	tests/fault/core_model.h \
	tests/fault/core_run.c \
	tests/fault/core_run.h \
	tests/lib/headless.c \
	tests/lib/headless.h \
	$(POWERCUT_SOURCES)

check_PROGRAMS += tests/fault/test_powercut_core
TESTS += tests/fault/test_powercut_core
tests_fault_test_powercut_core_SOURCES = $(POWERCUT_CORE_SOURCES)
tests_fault_test_powercut_core_LDADD = $(ZOOLITE_LDADD)

check_LIBRARIES += libnet_marks_ignored.a
libnet_marks_ignored_a_SOURCES = src/net/output.c src/net/output.h
libnet_marks_ignored_a_CPPFLAGS = $(AM_CPPFLAGS) -DZOOLITE_MUTANT_MARKS_IGNORED

# An archive with a fault stands before the one without.
check_PROGRAMS += \
	tests/fault/mutant_marks_ignored \
	tests/fault/mutant_core_no_flush \
	tests/fault/mutant_core_replay_unflushed \
	tests/fault/mutant_core_early_unlink
tests_fault_mutant_marks_ignored_SOURCES = $(POWERCUT_CORE_SOURCES)
tests_fault_mutant_marks_ignored_LDADD = libapp.a libcore.a libnet_marks_ignored.a $(ZOOLITE_LDADD)
tests_fault_mutant_core_no_flush_SOURCES = $(POWERCUT_CORE_SOURCES)
tests_fault_mutant_core_no_flush_LDADD = libapp.a libcore.a libstore_no_flush.a $(ZOOLITE_LDADD)
tests_fault_mutant_core_replay_unflushed_SOURCES = $(POWERCUT_CORE_SOURCES)
tests_fault_mutant_core_replay_unflushed_LDADD = libapp.a libcore.a libstore_replay_unflushed.a $(ZOOLITE_LDADD)
tests_fault_mutant_core_early_unlink_SOURCES = $(POWERCUT_CORE_SOURCES)
tests_fault_mutant_core_early_unlink_LDADD = libapp.a libcore.a libstore_early_unlink.a $(ZOOLITE_LDADD)

# Not among TESTS: how many cuts a mutant lives depends on timing, and tools/check runs it on the build with sanitizers,
# where threads are far enough apart.
dist_check_SCRIPTS = tests/fault/test_mutants.sh

EXTRA_DIST += tests/fault/local.mk
