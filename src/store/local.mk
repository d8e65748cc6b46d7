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
	src/store/db.c \
	src/store/db.h \
	src/store/files.c \
	src/store/files.h \
	src/store/flush.c \
	src/store/flush.h \
	src/store/found.c \
	src/store/found.h \
	src/store/log.c \
	src/store/log.h \
	src/store/marker.c \
	src/store/marker.h \
	src/store/point.h \
	src/store/merge.c \
	src/store/merge.h \
	src/store/record.c \
	src/store/record.h \
	src/store/replay.c \
	src/store/replay.h \
	src/store/rows.c \
	src/store/rows.h \
	src/store/scan.c \
	src/store/scan.h \
	src/store/segment.c \
	src/store/segment.h \
	src/store/shelf.c \
	src/store/shelf.h \
	src/store/store.c \
	src/store/store.h \
	src/store/survey.c \
	src/store/survey.h \
	src/store/thread.c \
	src/store/thread.h \
	src/store/vfs.c \
	src/store/vfs.h
nodist_libstore_a_SOURCES = src/store/schema.h

# The schema as C strings, from the files that people read.
STORE_SCHEMA = $(srcdir)/schema/tree-1.sql $(srcdir)/schema/log-1.sql

src/store/schema.h: $(STORE_SCHEMA)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && for name in tree log; do \
		echo "static const char schema_$${name}_sql[] =" && \
		sed -e 's/[\\"]/\\&/g' -e 's/^/	"/' -e 's/$$/\\n"/' \
			$(srcdir)/schema/$$name-1.sql && \
		echo "	;" || exit 1; \
	done >$@.tmp && mv $@.tmp $@

BUILT_SOURCES += src/store/schema.h
src/store/db.$(OBJEXT): src/store/schema.h
CLEANFILES += src/store/schema.h

EXTRA_DIST += \
	schema/local.mk \
	schema/log-1.sql \
	schema/tree-1.sql \
	src/store/.may_include \
	src/store/local.mk
