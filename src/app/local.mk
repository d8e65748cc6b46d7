# The program: what ties the layers together, and what is installed beside it.
noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = \
	src/app/alarms.c \
	src/app/alarms.h \
	src/app/admin.c src/app/admin.h src/app/admin_commands.h \
	src/app/admin_clients.c \
	src/app/admin_server.c \
	src/app/audit_export.c src/app/audit_export.h \
	src/app/audit_secret.c src/app/audit_secret.h \
	src/app/audit_verify.c src/app/audit_verify.h \
	src/app/command.c src/app/command.h \
	src/app/command_audit.c src/app/command_audit.h \
	src/app/command_control.c src/app/command_control.h \
	src/app/command_explain.c src/app/command_explain.h \
	src/app/command_restore.c src/app/command_restore.h \
	src/app/command_verify.c src/app/command_verify.h \
	src/app/command_import.c src/app/command_import.h \
	src/app/command_export.c src/app/command_export.h \
	src/app/complain.c src/app/complain.h \
	src/app/config.c src/app/config.h \
	src/app/control.c src/app/control.h \
	src/app/control_client.c src/app/control_client.h \
	src/app/control_commands.c src/app/control_commands.h \
	src/app/control_line.c src/app/control_line.h \
	src/app/control_socket.c src/app/control_socket.h \
	src/app/dispatch.c src/app/dispatch.h \
	src/app/connections.c src/app/connections.h \
	src/app/expiry.c src/app/expiry.h \
	src/app/explain.c src/app/explain.h \
	src/app/export.c src/app/export.h \
	src/app/fourlw.c src/app/fourlw.h src/app/fourlw_words.h \
	src/app/fourlw_clients.c \
	src/app/fourlw_server.c \
	src/app/fourlw_watches.c \
	src/app/losses.c src/app/losses.h \
	src/app/machine.c src/app/machine.h \
	src/app/privileges.c src/app/privileges.h \
	src/app/print.c src/app/print.h \
	src/app/drill_dir.c src/app/drill_dir.h \
	src/app/prometheus.c src/app/prometheus.h \
	src/app/snapshots.c src/app/snapshots.h \
	src/app/stamps.c src/app/stamps.h \
	src/app/stats.c src/app/stats.h \
	src/app/verdict.c src/app/verdict.h \
	src/app/view.h \
	src/app/http.c src/app/http.h \
	src/app/http_head.c src/app/http_head.h \
	src/app/json.c src/app/json.h \
	src/app/keeper.c src/app/keeper.h \
	src/app/latency.c src/app/latency.h \
	src/app/notify.c src/app/notify.h \
	src/app/peers.c src/app/peers.h \
	src/app/policy_file.c src/app/policy_file.h \
	src/app/properties.c src/app/properties.h \
	src/app/recover.c src/app/recover.h \
	src/app/reload.c src/app/reload.h \
	src/app/rules.c src/app/rules.h \
	src/app/server.c src/app/server.h \
	src/app/setup.c src/app/setup.h \
	src/app/sweep.c src/app/sweep.h \
	src/app/turn.c src/app/turn.h \
	src/app/validity.c src/app/validity.h \
	src/app/witness.c src/app/witness.h
EXTRA_DIST += src/app/.may_include

sbin_PROGRAMS += zoolited
zoolited_SOURCES = src/app/main.c
zoolited_LDADD = $(ZOOLITE_LDADD)

dist_man_MANS += src/app/zoolited.8 src/app/zoolite.policy.5

sampledir = $(sysconfdir)/zoolite
dist_sample_DATA = src/app/zoo.cfg.sample src/app/policy.sample

# Without libsystemd the server tells nobody that it is ready or alive, so nobody may wait for that.
if HAVE_LIBSYSTEMD
unit_edit = -e 's|@type[@]|notify|'
else
unit_edit = -e 's|@type[@]|exec|' -e '/^NotifyAccess=/d' -e '/^WatchdogSec=/d'
endif

systemdsystemunit_DATA = src/app/zoolite.service
EXTRA_DIST += src/app/zoolite.service.in
CLEANFILES += src/app/zoolite.service
src/app/zoolite.service: src/app/zoolite.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed $(unit_edit) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/src/app/zoolite.service.in >$@.tmp && mv $@.tmp $@
