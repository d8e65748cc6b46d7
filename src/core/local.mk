noinst_LIBRARIES += libcore.a
libcore_a_SOURCES = \
	src/core/access.c src/core/access.h \
	src/core/access_ip.c src/core/access_ip.h \
	src/core/access_san.c src/core/access_san.h \
	src/core/access_x509.c src/core/access_x509.h \
	src/core/acl.c src/core/acl.h \
	src/core/ages.c src/core/ages.h \
	src/core/audit.c src/core/audit.h \
	src/core/client.c src/core/client.h \
	src/core/dir.c src/core/dir.h \
	src/core/headcount.c src/core/headcount.h \
	src/core/pace.c src/core/pace.h \
	src/core/dn.c src/core/dn.h \
	src/core/policy.c src/core/policy.h src/core/policy_parts.h \
	src/core/policy_roles.c \
	src/core/policy_text.c src/core/policy_text.h \
	src/core/policy_walk.c \
	src/core/quota.c src/core/quota.h \
	src/core/quota_track.c src/core/quota_track.h \
	src/core/reaper.c src/core/reaper.h \
	src/core/registry.c src/core/registry.h \
	src/core/request.c src/core/request.h \
	src/core/request_acl.c \
	src/core/request_children.c \
	src/core/request_create.c \
	src/core/request_data.c \
	src/core/request_delete.c \
	src/core/request_ephemerals.c \
	src/core/request_multi.c \
	src/core/request_room.c \
	src/core/request_session.c \
	src/core/request_watches.c \
	src/core/session.c src/core/session.h \
	src/core/sight.c src/core/sight.h \
	src/core/subtree.c src/core/subtree.h \
	src/core/repeats.c src/core/repeats.h \
	src/core/throttle.c src/core/throttle.h \
	src/core/tree.c src/core/tree.h \
	src/core/watch.c src/core/watch.h \
	src/core/znode.c src/core/znode.h
EXTRA_DIST += src/core/.may_include src/core/local.mk
