/* Counters and gauges from one list. Any thread may count; values are read at any time. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

/* X(name, help): name becomes METRIC_name in the code and zk_-prefixed text in mntr. */
#define METRICS(X)                                                                          \
	X(packets_received, "requests and pings read from clients")                         \
	X(packets_sent, "replies and events given to clients")                              \
	X(connections_accepted, "connections accepted by the gate")                         \
	X(connections_refused, "connections refused by a limit of the gate")                \
	X(connections_refused_identity, "connections beyond the limit of their identity")   \
	X(connections_denied, "connections refused for the network they come from")         \
	X(connections_proxied, "connections whose client a balancer named")                 \
	X(connections_rejected_proxy, "connections of a balancer that named no client")     \
	X(connections_suspected, "connections refused for the handshakes of their address") \
	X(connections_rejected_tls, "TLS handshakes that failed")                           \
	X(handshakes_full, "times newcomers waited for others' handshakes to end")          \
	X(connections_revoked, "peers refused for a revoked certificate in their chain")    \
	X(connections_doubtful, "peers let in though a CRL was missing or out of date")     \
	X(handshakes_expired, "TLS handshakes that ran out of time")                        \
	X(identities_rejected, "certificates refused for their names")                      \
	X(non_mtls_local_conn_count, "plain connections of clients from this machine")      \
	X(non_mtls_remote_conn_count, "plain connections of clients from elsewhere")        \
	X(validity_warnings, "warnings that a certificate or CRL runs out")                 \
	X(connections_cut, "connections cut because their peer no longer passes")           \
	X(connections_closed, "connections closed")                                         \
	X(connections_failed, "connections closed because the peer broke a rule")           \
	X(connections_shed, "connections closed because all of them held too much")         \
	X(connections_unread, "connections closed because the peer took no replies")        \
	X(frames_refused, "connections closed for the length of a frame")                   \
	X(connections_kicked, "connections cut by an administrator")                        \
	X(sessionless_connections_expired, "connections closed for no request in time")     \
	X(connections_parked, "times a connection waited for the log or the tree")          \
	X(connections_held, "times a connection had too many replies that wait for disk")   \
	X(bytes_received_count, "bytes of requests and pings read from clients")            \
	X(response_bytes, "bytes of replies and events given to clients")                   \
	X(words_answered, "four-letter words answered")                                     \
	X(answers_too_large, "answers to people and probes above the limit of a reply")     \
	X(http_requests, "HTTP requests answered with what they asked for")                 \
	X(http_refused, "HTTP requests refused: malformed, too long, not to be had")        \
	X(control_commands, "commands taken at the control socket")                         \
	X(control_refused, "peers and lines refused at the control socket")                 \
	X(connection_request_count, "connect requests")                                     \
	X(connection_revalidate_count, "connect requests that name a session")              \
	X(sessions_opened, "sessions opened")                                               \
	X(sessions_resumed, "sessions resumed")                                             \
	X(sessions_bound, "sessions from elsewhere that were bound to who resumed them")    \
	X(sessions_refused, "connect requests refused")                                     \
	X(sessions_refused_identity, "sessions beyond the limit of their identity")         \
	X(sessions_refused_room, "sessions refused for want of room on disk")               \
	X(sessions_closed, "sessions closed by their client or an operator")                \
	X(sessions_expired, "sessions expired")                                             \
	X(events_encoded, "watch events encoded, each for all who watch")                   \
	X(watches_fired, "watch events sent")                                               \
	X(watch_bytes, "bytes of watch events sent")                                        \
	X(watches_refused, "connections closed at the limit of watches")                    \
	X(auth_failed, "failed authentications")                                            \
	X(requests_unauthenticated, "connections closed for want of an enforced scheme")    \
	X(identities_refused, "identities refused for their number or length")              \
	X(policy_refused, "operations that the policy refused")                             \
	X(policy_roles_refused, "connections that would have too many roles")               \
	X(policy_loaded, "policies read and put in force")                                  \
	X(policy_errors, "policies not put in force for an error")                          \
	X(events_withheld, "watch events not told to who may not read the znode")           \
	X(acls_refused, "ACLs refused for their number, entries or length")                 \
	X(paths_refused, "paths refused for their length")                                  \
	X(ephemerals_refused, "ephemeral znodes refused at the limit of a session")         \
	X(writes_paced, "times a write waited for the rate of its identity")                \
	X(quotas_exceeded, "writes beyond a soft or hard quota")                            \
	X(quotas_refused, "writes refused by a quota")                                      \
	X(quotas_counted, "counts of all znodes below a quota")                             \
	X(znodes_reaped, "containers and znodes with a TTL removed")                        \
	X(replies_refused, "connections closed because a reply was too large")              \
	X(changes_logged, "changes appended to the log")                                    \
	X(writes_refused_room, "writes refused for want of room on disk")                   \
	X(room_changes, "times the level of room on disk changed")                          \
	X(audit_rows, "rows of the audit trail, those of changes too")                      \
	X(audit_counted, "events that a row of the audit trail counts with others")         \
	X(audit_overflows, "of these, counted without what they were: too many kinds")      \
	X(log_commits, "transactions committed on the log")                                 \
	X(log_flushes, "syncs of the log")                                                  \
	X(fsync_threshold_exceed_count, "syncs of the log that took longer than 1 s")       \
	X(audit_unwritten, "rows of the audit trail not written for want of room")          \
	X(log_segments, "segments begun")                                                   \
	X(log_segments_pruned, "segments removed")                                          \
	X(replay_batches, "batches replayed into the tree")                                 \
	X(replay_rows, "log rows replayed into the tree")                                   \
	X(replay_undone, "batches undone for want of room on disk, and tried again")        \
	X(snapshots_written, "snapshots written, verified and named")                       \
	X(snapshots_failed, "snapshots that could not be written, or were found damaged")   \
	X(snapshots_removed, "snapshots removed because they were not to be kept")          \
	X(tree_reads, "znodes and lists read from tree.db")                                 \
	X(upgrade_znodes, "znodes copied for a newer version of the tree's schema")         \
	X(pages_damaged, "pages of database files whose checksum did not fit")              \
	X(tree_read_errors, "znodes and lists that could not be read from tree.db")         \
	X(cache_evictions, "cached znodes dropped for room")                                \
	X(loop_turns_slow, "turns of the core loop longer than 100 ms")                     \
	X(alarms_raised, "times a figure passed its limit of zoolite.alarm...")             \
	X(memory_refused, "allocations sized by a peer that failed")                        \
	X(bugs, "internal errors that were survived")

enum metric {
#define METRIC_ENUM(name, help) METRIC_##name,
	METRICS(METRIC_ENUM)
#undef METRIC_ENUM
		METRIC_COUNT
};

void metrics_add(enum metric m, uint64_t n);
uint64_t metrics_get(enum metric m);
const char *metrics_name(enum metric m);
const char *metrics_help(enum metric m);
/* Tests, and the four-letter word srst. */
void metrics_reset(void);

#endif
