package metrics

import "github.com/prometheus/client_golang/prometheus"

// kind is what Prometheus calls a metric's type.
type kind uint8

const (
	counter kind = iota
	gauge
	histogram
)

func (k kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// A metric is a row of the table.
type metric struct {
	name   string
	kind   kind
	help   string
	labels []string

	desc *prometheus.Desc
}

// table is every metric of ours. The runtime's and the process's (go_, process_)
// come from the client library.
var table = []*metric{
	{"nvsess_build_info", gauge, "1, with the version.", []string{"version", "goversion"}, nil},

	{"nvsess_sessions", gauge, "Sessions that are open.", nil, nil},
	{"nvsess_mount_sessions", gauge, "Sessions that are open, by the mount of their path.", []string{"mount"}, nil},
	{"nvsess_mount_sessions_limit", gauge, "The most sessions a mount may have; 0 is no limit.", []string{"mount"}, nil},
	{"nvsess_connections", gauge, "Connections, with handshakes under way and plain requests.", nil, nil},
	{"nvsess_opens_total", counter, "Sessions that were opened.", nil, nil},
	{"nvsess_closes_total", counter, "Sessions that ended, by close code; 1006 is an end without a close frame.", []string{"code"}, nil},
	{"nvsess_keepalive_timeouts_total", counter, "Sessions that were closed for silence, by keepalive.", nil, nil},
	{"nvsess_violations_total", counter, "Connections that were failed for what the peer sent, by close code.", []string{"code"}, nil},

	{"nvsess_handshakes_refused_total", counter, "Handshakes that were refused, by HTTP status.", []string{"status"}, nil},
	{"nvsess_auth_refused_total", counter, "Handshakes that were refused with 401, by what was wrong with the token.", []string{"reason"}, nil},
	{"nvsess_limited_total", counter, "Times that somebody ran into a limit, by its name.", []string{"limit"}, nil},
	{"nvsess_addresses", gauge, "Addresses of clients that are kept in mind for limits.", nil, nil},
	{"nvsess_accept_failures_total", counter, "Times that a connection could not be accepted.", nil, nil},
	{"nvsess_http_requests_total", counter, "Requests to routes, by what became of them.", []string{"result"}, nil},
	{"nvsess_http_requests_underway", gauge, "Requests to routes that are not over.", nil, nil},

	{"nvsess_messages_total", counter, "Messages, by direction and kind.", []string{"direction", "kind"}, nil},
	{"nvsess_message_bytes_total", counter, "Bytes of messages: payload in, frames out.", []string{"direction", "kind"}, nil},
	{"nvsess_compressed_messages_total", counter, "Messages that were compressed on the wire.", []string{"direction"}, nil},
	{"nvsess_handler_calls_total", counter, "Events that handlers were given, by kind, whichever handler it was.", []string{"kind"}, nil},

	{"nvsess_queued_bytes", gauge, "Bytes that wait for peers to read.", nil, nil},
	{"nvsess_queued_bytes_max", gauge, "The most bytes that wait for one peer.", nil, nil},
	{"nvsess_lagging_connections", gauge, "Connections for which something waits.", nil, nil},
	{"nvsess_delivery_seconds", histogram, "Time from when the kernel did not take a message until it had all of it. Messages that it takes at once are not in it; of those that wait, one of each connection is timed at a time.", nil, nil},
	{"nvsess_messages_dropped_total", counter, "Messages that were not delivered because their peer's queue was full.", nil, nil},
	{"nvsess_slow_consumers_closed_total", counter, "Connections that were closed because their queue was full.", nil, nil},

	{"nvsess_loop_lag_seconds", histogram, "How late a pass of an event loop began: after it was due, or after the pass before it began when more was ready.", []string{"loop"}, nil},
	{"nvsess_loop_busy_seconds_total", counter, "Time that an event loop has spent in passes.", []string{"loop"}, nil},
	{"nvsess_loop_pass_seconds", gauge, "How long the pass that is under way has taken; 0 while the loop waits. One that grows is stuck.", []string{"loop"}, nil},
	{"nvsess_loop_stood_seconds_total", counter, "Time that an event loop has left out of its clock because the process stood still.", []string{"loop"}, nil},
	{"nvsess_loop_connections", gauge, "Connections of an event loop.", []string{"loop"}, nil},

	{"nvsess_requests_pending", gauge, "Must-reply requests that wait for their answer.", nil, nil},
	{"nvsess_requests_total", counter, "Must-reply requests that wait no more, by why.", []string{"outcome"}, nil},
	{"nvsess_unknown_replies_total", counter, "Answers to no request.", nil, nil},
	{"nvsess_wrong_direction_total", counter, "Envelopes from clients that only a server may send.", nil, nil},

	{"nvsess_inbox_waiting", gauge, "Events that JavaScript and the webhook have not done with.", nil, nil},
	{"nvsess_inbox_dropped_total", counter, "Messages that came faster than they were handled, and were dropped.", nil, nil},
	{"nvsess_inbox_closed_total", counter, "Sessions that were closed because their messages came faster than they were handled.", nil, nil},

	{"nvsess_script_job_seconds", histogram, "Time that JavaScript ran at a stretch: a call of a handler, a timer, a promise that went on, a line of the console.", nil, nil},
	{"nvsess_script_errors_total", counter, "Calls of JavaScript handlers that failed.", []string{"handler", "reason"}, nil},
	{"nvsess_script_restarts_total", counter, "Times that JavaScript hung or failed and was begun anew.", nil, nil},

	{"nvsess_webhook_attempt_seconds", histogram, "Time that attempts to reach the webhook took.", nil, nil},
	{"nvsess_webhook_events_total", counter, "Events that the webhook was told, or could not be.", []string{"outcome"}, nil},
	{"nvsess_webhook_errors_total", counter, "Events that the webhook failed, by event.", []string{"event", "reason"}, nil},
	{"nvsess_webhook_retries_total", counter, "Attempts after the first.", nil, nil},
	{"nvsess_webhook_waiting", gauge, "Events that wait for the webhook.", nil, nil},
	{"nvsess_webhook_underway", gauge, "Events that the webhook is being told.", nil, nil},
	{"nvsess_webhook_undelivered_total", counter, "Messages in the webhook's answers for sessions that had gone or did not keep up.", []string{"reason"}, nil},
	{"nvsess_webhook_circuit_open", gauge, "1 while the webhook is left alone after failures.", nil, nil},

	{"nvsess_message_memory_bytes", gauge, "Memory that connections hold of messages.", nil, nil},
	{"nvsess_message_memory_limit_bytes", gauge, "The most of it (limits.memory_bytes); 0 is no limit.", nil, nil},
	{"nvsess_memory_closed_total", counter, "Connections that were closed for holding most of it.", nil, nil},
	{"nvsess_kernel_memory_shortages_total", counter, "Times that the kernel was short of memory for a connection.", nil, nil},

	{"nvsess_upgrades_total", counter, "Upgrades in place, by result.", []string{"result"}, nil},
	{"nvsess_resumed_sessions", gauge, "Sessions that this process took over from the one before.", nil, nil},
	{"nvsess_resumed_closed", gauge, "Connections that it could not take over, and closed with 1012.", nil, nil},
	{"nvsess_resumed_unsent_bytes", gauge, "Bytes that waited to be sent when the process before crashed, and are lost.", nil, nil},
	{"nvsess_resumed_pause_seconds", gauge, "How long nothing was read or accepted while sessions were handed over; 0 after a crash.", nil, nil},
	{"nvsess_kept_connections", gauge, "Connections that would outlive this process, with systemd.", nil, nil},
	{"nvsess_kept_not", gauge, "Connections that would not, for want of room in systemd's store.", nil, nil},
	{"nvsess_draining", gauge, "1 while the daemon is drained, or being drained.", nil, nil},
	{"nvsess_drained_sessions_total", counter, "Sessions that drains have closed.", nil, nil},

	{"nvsess_debugged_sessions", gauge, "Sessions that are being debugged.", nil, nil},
	{"nvsess_log_lines_lost_total", counter, "Lines of the log that could not be written.", nil, nil},
}

var byName = func() map[string]*metric {
	m := make(map[string]*metric, len(table))
	for _, x := range table {
		x.desc = prometheus.NewDesc(x.name, x.help, x.labels, nil)
		m[x.name] = x
	}
	return m
}()
