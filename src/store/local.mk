# store: SQLite. The log, the tree's tables, flush and replay threads.
noinst_LIBRARIES += libstore.a

libstore_a_SOURCES = \
	src/store/acl_row.c \
	src/store/acl_row.h \
	src/store/acl_store.c \
	src/store/acl_store.h \
	src/store/audit.c \
	src/store/audit.h \
	src/store/audit_read.c \
	src/store/audit_read.h \
	src/store/ballast.c \
	src/store/ballast.h \
	src/store/checksum.c \
	src/store/checksum.h \
	src/store/copy.c \
	src/store/copy.h \
	src/store/db.c \
	src/store/db.h \
	src/store/digest.c \
	src/store/digest.h \
	src/store/files.c \
	src/store/files.h \
	src/store/flush.c \
	src/store/flush.h \
	src/store/found.c \
	src/store/found.h \
	src/store/frames.c \
	src/store/frames.h \
	src/store/inspect.c \
	src/store/inspect.h \
	src/store/import.c \
	src/store/import.h \
	src/store/import_tree.c \
	src/store/import_tree.h \
	src/store/log.c \
	src/store/log.h \
	src/store/marker.c \
	src/store/marker.h \
	src/store/point.h \
	src/store/merge.c \
	src/store/merge.h \
	src/store/readonly.c \
	src/store/readonly.h \
	src/store/record.c \
	src/store/record.h \
	src/store/remnant.c \
	src/store/remnant.h \
	src/store/replay.c \
	src/store/replay.h \
	src/store/room.c \
	src/store/room.h \
	src/store/restore.c \
	src/store/restore.h \
	src/store/rows.c \
	src/store/rows.h \
	src/store/salvage.c \
	src/store/salvage.h \
	src/store/scan.c \
	src/store/scan.h \
	src/store/seal.c \
	src/store/seal.h \
	src/store/segment.c \
	src/store/segment.h \
	src/store/shelf.c \
	src/store/shelf.h \
	src/store/snapshot.c \
	src/store/snapshot.h \
	src/store/snapshot_file.c \
	src/store/snapshot_file.h \
	src/store/settle.c \
	src/store/settle.h \
	src/store/store.c \
	src/store/store.h \
	src/store/survey.c \
	src/store/survey.h \
	src/store/thread.c \
	src/store/thread.h \
	src/store/upgrade.c \
	src/store/upgrade.h \
	src/store/verify.c \
	src/store/verify.h \
	src/store/verify_log.c \
	src/store/verify_log.h \
	src/store/zk_file.c \
	src/store/zk_file.h \
	src/store/zk_write.c \
	src/store/zk_write.h \
	src/store/vfs.c \
	src/store/vfs.h \
	src/store/visitor.c \
	src/store/visitor.h \
	src/store/zk_digest.c \
	src/store/zk_digest.h \
	src/store/zk_dir.c \
	src/store/zk_dir.h \
	src/store/zk_log.c \
	src/store/zk_log.h \
	src/store/zk_snapshot.c \
	src/store/zk_snapshot.h \
	src/store/zk_stream.c \
	src/store/zk_stream.h
nodist_libstore_a_SOURCES = src/store/schema.h

# The schema as C strings, from the files that people read.
STORE_SCHEMA = $(srcdir)/schema/tree-2.sql $(srcdir)/schema/log-2.sql

src/store/schema.h: $(STORE_SCHEMA)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && for name in tree log; do \
		echo "static const char schema_$${name}_sql[] =" && \
		sed -e 's/[\\"]/\\&/g' -e 's/^/	"/' -e 's/$$/\\n"/' \
			$(srcdir)/schema/$$name-2.sql && \
		echo "	;" || exit 1; \
	done >$@.tmp && mv $@.tmp $@

BUILT_SOURCES += src/store/schema.h
src/store/db.$(OBJEXT): src/store/schema.h
CLEANFILES += src/store/schema.h

EXTRA_DIST += \
	schema/local.mk \
	schema/log-1.sql \
	schema/log-2.sql \
	schema/tree-1.sql \
	schema/tree-2.sql \
	src/store/.may_include \
	src/store/local.mk
