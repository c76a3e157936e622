/*
 * Counters and gauges, declared once with their documentation. Each thread adds to a slot of its own (plain stores,
 * no lock prefix, no shared cache line); a reader sums the slots. From this table come /metrics, docs/counters.md and the tests'
 * last lines ("0 connections, 0 buffers"). To add one, add a row.
 */
#ifndef WEIR_BASE_COUNTER_H
#define WEIR_BASE_COUNTER_H

#include <stdint.h>

/* X(name, kind, help) kind: COUNTER only grows, GAUGE goes up and down */
#define COUNTER_TABLE(X)                                                                                               \
    X(net_accepts, COUNTER, "sockets accepted")                                                                        \
    X(net_accepts_refused, COUNTER, "sockets refused by the accept-rate or descriptor limit")                          \
    X(net_connections, GAUGE, "open sockets")                                                                          \
    X(net_bytes_in, COUNTER, "bytes read from sockets")                                                                \
    X(net_bytes_out, COUNTER, "bytes written to sockets")                                                              \
    X(net_queue_bytes, GAUGE, "bytes waiting in output queues")                                                        \
    X(net_tls_handshakes, COUNTER, "TLS handshakes finished")                                                          \
    X(net_tls_failures, COUNTER, "TLS handshakes that failed")                                                         \
    X(net_plain_refused, COUNTER, "plain connections refused where TLS is demanded")                                   \
    X(net_buffers, GAUGE, "buffers held by connections")                                                               \
    X(http_requests, COUNTER, "HTTP requests parsed")                                                                  \
    X(http_bad_requests, COUNTER, "HTTP requests refused as malformed")                                                \
    X(http_responses_4xx, COUNTER, "answers with a 4xx status")                                                        \
    X(http_responses_5xx, COUNTER, "answers with a 5xx status")                                                        \
    X(h2_connections, GAUGE, "open HTTP/2 connections")                                                                \
    X(h2_streams, GAUGE, "requests of HTTP/2 connections that are not answered and sent")                              \
    X(h2_resets, COUNTER, "requests of HTTP/2 connections that the peer reset")                                        \
    X(h2_floods, COUNTER, "HTTP/2 connections ended for their resets, pings, settings or header blocks")                \
    X(ws_connections, GAUGE, "open WebSocket connections")                                                             \
    X(ws_connects, COUNTER, "WebSocket handshakes accepted")                                                           \
    X(ws_refused, COUNTER, "WebSocket handshakes refused")                                                             \
    X(ws_messages_in, COUNTER, "messages received")                                                                    \
    X(ws_messages_out, COUNTER, "messages queued to sockets")                                                          \
    X(ws_protocol_errors, COUNTER, "connections closed for a protocol violation")                                      \
    X(ws_too_large, COUNTER, "connections closed with 1009")                                                           \
    X(ws_pings_sent, COUNTER, "heartbeat pings sent")                                                                  \
    X(ws_heartbeat_timeouts, COUNTER, "connections closed because no pong came")                                       \
    X(ws_idle_timeouts, COUNTER, "connections closed at their idle limit")                                             \
    X(ws_lifetime_ends, COUNTER, "connections closed at their lifetime limit")                                         \
    X(ws_slow_closed, COUNTER, "slow readers closed with 1013")                                                        \
    X(ws_slow_dropped, COUNTER, "messages dropped for slow readers")                                                   \
    X(ws_slow_replaced, COUNTER, "messages replaced by a newer one of their key for slow readers")                     \
    X(gw_routes_missed, COUNTER, "messages without a route")                                                           \
    X(gw_errors, COUNTER, "error answers sent to clients")                                                             \
    X(gw_auth_failures, COUNTER, "identities refused")                                                                 \
    X(gw_identity_mismatches, COUNTER, "bodies that named another user than the proven one")                           \
    X(gw_rate_limited, COUNTER, "requests refused by a rate limit")                                                    \
    X(gw_bans, COUNTER, "bans after repeated abuse")                                                                   \
    X(gw_posts_gone, COUNTER, "posts to connections that are gone")                                                    \
    X(gw_broadcasts, COUNTER, "broadcasts, room and user publishes")                                                   \
    X(gw_deliveries, COUNTER, "messages queued by publishes")                                                          \
    X(gw_mail_dropped, COUNTER, "effects dropped because a ring between io threads was full")                          \
    X(gw_credit_waits, COUNTER, "calls that waited for the tick; their sockets are not read meanwhile")                \
    X(gw_rooms, GAUGE, "rooms with members, summed over io threads")                                                   \
    X(gw_room_members, GAUGE, "room memberships")                                                                      \
    X(gw_origin_refused, COUNTER, "handshakes refused for their Origin")                                               \
    X(gw_figure_calls, COUNTER, "calls of the tick that carried weir's own figures")                                      \
    X(gw_meters_refused, COUNTER, "times one of weir's own figures found no room for its series in its thread")         \
    X(tick_ticks, COUNTER, "ticks committed")                                                                          \
    X(tick_calls, COUNTER, "calls executed")                                                                           \
    X(tick_calls_failed, COUNTER, "calls rolled back")                                                                 \
    X(tick_writes, COUNTER, "items put or deleted, those of calls that were undone included")                           \
    X(tick_writes_refused, COUNTER, "calls refused because disk space is low")                                         \
    X(tick_deferred_due, COUNTER, "deferred calls run")                                                                \
    X(tick_deferred_retries, COUNTER, "deferred calls retried")                                                        \
    X(tick_notes_dropped, COUNTER, "ticks whose metrics and log lines were dropped because disk space was low")              \
    X(tick_cold_restarts, COUNTER, "calls staged again after a cold block was warmed")                                 \
    X(tick_expired, COUNTER, "items deleted by expiry")                                                                \
    X(tick_calls_waiting, GAUGE, "calls admitted and not yet released")                                                \
    X(recovery_cuts, COUNTER, "looks that forgot of the journal what recovery periods still wanted, because of recovery.bytes")      \
    X(jobs_waiting, GAUGE, "backups, restores, exports and imports that are not finished")                              \
    X(jobs_done, COUNTER, "backups, restores, exports and imports finished")                                            \
    X(jobs_failed, COUNTER, "backups, restores, exports and imports that failed; the log says why")                     \
    X(jobs_items, COUNTER, "items copied by backups, restores, exports and imports")                                    \
    X(journal_records, COUNTER, "records appended")                                                                    \
    X(journal_bytes, COUNTER, "bytes appended")                                                                        \
    X(journal_syncs, COUNTER, "fsyncs")                                                                                \
    X(journal_sync_ns, COUNTER, "nanoseconds spent in fsync")                                                          \
    X(journal_segments, GAUGE, "segments on disk")                                                                     \
    X(fetch_requests, COUNTER, "outgoing HTTP requests")                                                               \
    X(fetch_failures, COUNTER, "outgoing HTTP requests that failed")                                                   \
    X(fetch_circuit_open, COUNTER, "outgoing HTTP requests refused by an open circuit")                                \
    X(fetch_in_flight, GAUGE, "outgoing HTTP requests in flight")                                                      \
    X(fetch_forbidden, COUNTER, "webhooks and requests of applications to addresses that are not allowed")             \
    X(live_subscriptions, GAUGE, "subscriptions to live tables")                                                       \
    X(live_changes, COUNTER, "changes queued to subscribers of live tables")                                           \
    X(live_snapshots, COUNTER, "snapshots begun for subscribers")                                                      \
    X(live_resnapshots, COUNTER, "subscribers told to begin anew")                                                     \
    X(live_lags, COUNTER, "times a subscriber fell behind and went on from the journal")                               \
    X(stream_batches, COUNTER, "batches taken by stream consumers")                                                    \
    X(stream_records, COUNTER, "records taken by stream consumers")                                                    \
    X(stream_failures, COUNTER, "batches that a stream consumer failed on")                                            \
    X(stream_dead_letters, COUNTER, "records that a stream consumer gave up")                                          \
    X(stream_iterator_age_ms, GAUGE, "age of the oldest record that a stream consumer has not taken")                  \
    X(records_subscriptions, GAUGE, "subscriptions of registered consumers to shards that are open")                    \
    X(destination_records, COUNTER, "changes of tables put to streams of records")                                      \
    X(records_pushed, COUNTER, "records pushed to subscriptions")                                                       \
    X(records_written, COUNTER, "records put to streams of records, those of calls that were undone included")          \
    X(records_read, COUNTER, "records read from streams of records")                                                    \
    X(records_expired, COUNTER, "records deleted when their retention had passed")                                      \
    X(watch_points, COUNTER, "data points of metrics put, those of calls that were undone included")                    \
    X(watch_series_made, COUNTER, "series of metrics made")                                                            \
    X(watch_series_refused, COUNTER, "data points refused because their series would have been one too many; the log names the namespace") \
    X(watch_tally_dropped, COUNTER, "values of tallies dropped: no place or no memory for their series, or no number")   \
    X(watch_rows_rolled, COUNTER, "rows of metrics rolled up into coarser ones, or deleted when their retention had passed") \
    X(logs_lines_dropped, COUNTER, "log lines of applications and of weir itself that found no room")                  \
    X(logs_events_put, COUNTER, "log events put to log streams, those of calls that were undone included")              \
    X(logs_puts_refused, COUNTER, "puts refused because packing had not kept up with their log stream")                 \
    X(logs_deliveries, COUNTER, "batches of log events that subscription filters have brought to a destination")          \
    X(logs_deliveries_dropped, COUNTER, "batches of log events whose destination is not there, or does not take them")    \
    X(logs_chunks_packed, COUNTER, "chunks of log events packed")                                                       \
    X(logs_events_expired, COUNTER, "log events deleted when their retention had passed")                               \
    X(logs_queries, COUNTER, "log queries started")                                                                    \
    X(logs_queries_partial, COUNTER, "log queries whose result is not that of all events; the result says why")        \
    X(alarm_evaluations, COUNTER, "times an alarm was evaluated")                                                       \
    X(alarm_transitions, COUNTER, "alarms that went into another state, those of calls that were undone included")      \
    X(alarm_actions_failed, COUNTER, "actions of alarms that failed for good; the alarm's history says why")            \
    X(otlp_sent, COUNTER, "figures, log events and spans that a collector has taken")                                   \
    X(otlp_failures, COUNTER, "requests to a collector that failed and were put off")                                   \
    X(otlp_dropped, COUNTER, "figures, log events and spans that a collector refused")                                  \
    X(otlp_gaps, COUNTER, "times an export was more than an hour behind and left out what was older")                   \
    X(otlp_spans_dropped, COUNTER, "spans dropped because they were not exported in time")                             \
    X(log_lines, COUNTER, "log lines written")                                                                         \
    X(log_lines_dropped, COUNTER, "log lines dropped by the rate limit")

enum counter {
#define X(name, kind, help) COUNTER_##name,
    COUNTER_TABLE(X)
#undef X
        COUNTER_COUNT
};

#define COUNTER_THREADS 64 /* threads with a slot of their own; later ones share the last slot, atomically */

/* The calling thread's slot; made at first use. */
extern _Thread_local int64_t *counter_slot;
extern int64_t counter_shared[]; /* the slot of all threads beyond the limit */
int64_t *counter_slot_make(void);

static inline void counter_add(enum counter c, int64_t n)
{
    int64_t *slot = counter_slot ? counter_slot : counter_slot_make();
    if (__builtin_expect(slot == counter_shared, 0))
        __atomic_fetch_add(&slot[c], n, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&slot[c], __atomic_load_n(&slot[c], __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
/* Sum over all threads. */
int64_t counter_read(enum counter c);
const char *counter_name(enum counter c);
const char *counter_help(enum counter c);
int counter_is_gauge(enum counter c);

#endif
