package config

// An Effect is when a key's change takes effect.
type Effect string

// The effects. Of all but Restart it is at a reload.
const (
	Live        Effect = "live"         // for what there is, too: open sessions, requests to come
	NewSessions Effect = "new sessions" // for handshakes from then on; open sessions go on as agreed
	Restart     Effect = "restart"      // when the daemon is started again
)

// effects is what each key has, those of tables under the list's name; docs/reload.md
// has the same table with the details.
var effects = map[string]Effect{
	"listen":       Restart,
	"mode":         Live,
	"subprotocols": NewSessions,
	"paths":        NewSessions,
	"tls_cert":     NewSessions, // but Restart between "" and a file
	"tls_key":      NewSessions,
	"loops":        Restart,
	"compression":  NewSessions,
	"handlers":     Live,
	"webhook":      Live,

	"socket.mode":  Restart,
	"socket.owner": Restart,
	"socket.group": Restart,

	"admin.listen":       Restart,
	"admin.mode":         Restart,
	"admin.owner":        Restart,
	"admin.group":        Restart,
	"admin.allow_users":  Live,
	"admin.allow_groups": Live,

	"handshake.timeout":         NewSessions,
	"handshake.max_bytes":       NewSessions,
	"handshake.max_headers":     NewSessions,
	"handshake.rate":            NewSessions,
	"handshake.origins":         NewSessions,
	"handshake.trusted_proxies": Live,
	"handshake.headers":         NewSessions,

	"auth.mode":            NewSessions,
	"auth.sources":         NewSessions,
	"auth.tokens":          NewSessions,
	"auth.tokens_file":     NewSessions,
	"auth.jwt_secret_file": NewSessions,
	"auth.jwt_keys_file":   NewSessions,
	"auth.jwt_algorithms":  NewSessions,
	"auth.jwt_audience":    NewSessions,
	"auth.jwt_issuer":      NewSessions,
	"auth.jwt_leeway":      NewSessions,
	"auth.jwt_require_exp": NewSessions,

	"message.max_frame_bytes":          Live,
	"message.max_message_bytes":        Live,
	"message.max_fragments":            Live,
	"message.timeout":                  Live,
	"message.fragment_outgoing":        Live,
	"message.fragment_threshold_bytes": Live,

	"deflate.threshold_bytes":         NewSessions,
	"deflate.server_context_takeover": NewSessions,
	"deflate.client_context_takeover": NewSessions,
	"deflate.server_max_window_bits":  NewSessions,
	"deflate.client_max_window_bits":  NewSessions,

	"limits.sessions":                NewSessions,
	"limits.sessions_per_address":    NewSessions,
	"limits.connections_per_address": NewSessions,
	"limits.handshakes_per_address":  NewSessions,
	"limits.handshakes_burst":        NewSessions,
	"limits.messages_per_second":     Live,
	"limits.messages_burst":          Live,
	"limits.bytes_per_second":        Live,
	"limits.bytes_burst":             Live,
	"limits.policy":                  Live,
	"limits.memory_bytes":            Live,
	"limits.idle":                    Live,

	"keepalive.enabled":      Live,
	"keepalive.interval":     Live,
	"keepalive.drop":         Live,
	"keepalive.grace":        Live,
	"keepalive.native_pings": Live,

	"close.timeout": Live,

	"outbound.queue_bytes": Live,
	"outbound.policy":      Live,

	"requests.timeout":     Live,
	"requests.max_pending": Live,

	"script.console":        Live,
	"script.cpu_limit":      Live,
	"script.timeout":        Live,
	"script.max_heap_bytes": Live,
	"script.fetch":          Live,
	"script.listen":         Live,

	"webhooks.events":      Live,
	"webhooks.timeout":     Live,
	"webhooks.retries":     Live,
	"webhooks.backoff":     Live,
	"webhooks.max_backoff": Live,
	"webhooks.concurrency": Live,
	"webhooks.open_after":  Live,
	"webhooks.open_for":    Live,

	"inbox.messages":    Live,
	"inbox.queue_bytes": Live,
	"inbox.total_bytes": Live,
	"inbox.policy":      Live,

	"verify.timeout":     NewSessions,
	"verify.max_pending": NewSessions,

	"http.health_path":    Live,
	"http.max_requests":   Live,
	"http.max_body_bytes": Live,
	"http.idle_timeout":   Live,
	"http.stall_timeout":  Live,
	"http.proxy_timeout":  Live,

	"web.client_path": Live,
	"web.demo_path":   Live,

	"shutdown.delay":    Live,
	"shutdown.deadline": Live,

	"metrics.listen": Restart,

	"log.level":  Live,
	"log.format": Restart,

	"mount.paths":               NewSessions,
	"mount.mode":                Live,
	"mount.subprotocols":        NewSessions,
	"mount.origins":             NewSessions,
	"mount.compression":         NewSessions,
	"mount.auth":                NewSessions,
	"mount.max_frame_bytes":     Live,
	"mount.max_message_bytes":   Live,
	"mount.max_fragments":       Live,
	"mount.messages_per_second": Live,
	"mount.messages_burst":      Live,
	"mount.bytes_per_second":    Live,
	"mount.bytes_burst":         Live,
	"mount.rate_policy":         Live,
	"mount.headers":             NewSessions,
	"mount.sessions":            NewSessions,

	"route.path":     Live,
	"route.files":    Live,
	"route.proxy":    Live,
	"route.redirect": Live,
	"route.status":   Live,
	"route.headers":  Live,
}
