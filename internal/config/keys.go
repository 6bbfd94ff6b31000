package config

// keys is the whole file, in the order configs/nvsess.toml has it.
var keys = []key[Config]{
	bind("listen", func(c *Config) *[]string { return &c.Listen }, list(1, text(allowedAddr, checkAddr))),
	bind("mode", func(c *Config) *string { return &c.Mode }, modes()),
	bind("subprotocols", func(c *Config) *[]string { return &c.Subprotocols }, subprotocols()),
	bind("paths", func(c *Config) *[]string { return &c.Paths }, paths(0)),
	bind("tls_cert", func(c *Config) *string { return &c.TLSCert }, text(`a file, or ""`, checkFile)),
	bind("tls_key", func(c *Config) *string { return &c.TLSKey }, text(`a file, or ""`, checkFile)),
	bind("loops", func(c *Config) *int { return &c.Loops }, integer(0, 1024)),
	bind("compression", func(c *Config) *string { return &c.Compression }, compressions()),
	bind("handlers", func(c *Config) *string { return &c.Handlers }, text(`a file, or ""`, checkText)),
	bind("webhook", func(c *Config) *string { return &c.Webhook },
		text(`"http://HOST/PATH", "https://HOST/PATH", "http+unix:///SOCKET:/PATH" or ""`, checkWebhook)),

	bind("socket.mode", func(c *Config) *FileMode { return &c.Socket.Mode }, fileMode()),
	bind("socket.owner", func(c *Config) *string { return &c.Socket.Owner }, account("user", true)),
	bind("socket.group", func(c *Config) *string { return &c.Socket.Group }, account("group", true)),

	bind("admin.listen", func(c *Config) *string { return &c.Admin.Listen }, text(`"unix:/path"`, checkAdminAddr)),
	bind("admin.mode", func(c *Config) *FileMode { return &c.Admin.Mode }, fileMode()),
	bind("admin.owner", func(c *Config) *string { return &c.Admin.Owner }, account("user", true)),
	bind("admin.group", func(c *Config) *string { return &c.Admin.Group }, account("group", true)),
	bind("admin.allow_users", func(c *Config) *[]string { return &c.Admin.AllowUsers }, list(0, account("user", false))),
	bind("admin.allow_groups", func(c *Config) *[]string { return &c.Admin.AllowGroups }, list(0, account("group", false))),

	bind("handshake.timeout", func(c *Config) *Duration { return &c.Handshake.Timeout }, duration(100*millisecond, 10*minute)),
	bind("handshake.max_bytes", func(c *Config) *int { return &c.Handshake.MaxBytes }, integer(1<<10, 1<<20)),
	bind("handshake.max_headers", func(c *Config) *int { return &c.Handshake.MaxHeaders }, integer(8, 1000)),
	bind("handshake.rate", func(c *Config) *int { return &c.Handshake.Rate }, integer(0, 1_000_000)),
	bind("handshake.origins", func(c *Config) *[]string { return &c.Handshake.Origins }, origins()),
	bind("handshake.trusted_proxies", func(c *Config) *[]string { return &c.Handshake.TrustedProxies },
		list(0, text(`"unix", an IP address or a CIDR such as "10.0.0.0/8"`, checkProxy))),
	bind("handshake.headers", func(c *Config) *[]string { return &c.Handshake.Headers }, headers()),

	bind("auth.mode", func(c *Config) *string { return &c.Auth.Mode }, authModes()),
	bind("auth.sources", func(c *Config) *[]string { return &c.Auth.Sources },
		list(1, text(`"header", "query:NAME", "cookie:NAME" or "protocol:PREFIX"`, checkSource))),
	bind("auth.tokens", func(c *Config) *[]string { return &c.Auth.Tokens }, list(0, text(`"NAME sha256:HEX"`, checkHashedToken))),
	bind("auth.tokens_file", func(c *Config) *string { return &c.Auth.TokensFile }, text(`an absolute path, or ""`, checkFile)),
	bind("auth.jwt_secret_file", func(c *Config) *string { return &c.Auth.JWTSecretFile }, text(`an absolute path, or ""`, checkFile)),
	bind("auth.jwt_keys_file", func(c *Config) *string { return &c.Auth.JWTKeysFile }, text(`an absolute path, or ""`, checkFile)),
	bind("auth.jwt_algorithms", func(c *Config) *[]string { return &c.Auth.JWTAlgorithms }, list(0, choice(jwtAlgorithms...))),
	bind("auth.jwt_audience", func(c *Config) *[]string { return &c.Auth.JWTAudience }, list(0, text("the name of a service", checkClaim))),
	bind("auth.jwt_issuer", func(c *Config) *string { return &c.Auth.JWTIssuer }, text(`the name of an issuer, or ""`, checkText)),
	bind("auth.jwt_leeway", func(c *Config) *Duration { return &c.Auth.JWTLeeway }, duration(0, 10*minute)),
	bind("auth.jwt_require_exp", func(c *Config) *bool { return &c.Auth.JWTRequireExp }, boolean()),

	bind("message.max_frame_bytes", func(c *Config) *int { return &c.Message.MaxFrameBytes }, messageBytes()),
	bind("message.max_message_bytes", func(c *Config) *int { return &c.Message.MaxMessageBytes }, messageBytes()),
	bind("message.max_fragments", func(c *Config) *int { return &c.Message.MaxFragments }, fragments()),
	bind("message.fragment_outgoing", func(c *Config) *bool { return &c.Message.FragmentOutgoing }, boolean()),
	bind("message.fragment_threshold_bytes", func(c *Config) *int { return &c.Message.FragmentThresholdBytes }, integer(125, 1<<30)),

	bind("deflate.threshold_bytes", func(c *Config) *int { return &c.Deflate.ThresholdBytes }, integer(0, 1<<30)),
	bind("deflate.server_context_takeover", func(c *Config) *bool { return &c.Deflate.ServerContextTakeover }, boolean()),
	bind("deflate.client_context_takeover", func(c *Config) *bool { return &c.Deflate.ClientContextTakeover }, boolean()),
	bind("deflate.server_max_window_bits", func(c *Config) *int { return &c.Deflate.ServerMaxWindowBits }, integer(8, 15)),
	bind("deflate.client_max_window_bits", func(c *Config) *int { return &c.Deflate.ClientMaxWindowBits }, integer(8, 15)),

	bind("keepalive.enabled", func(c *Config) *bool { return &c.Keepalive.Enabled }, boolean()),
	bind("keepalive.interval", func(c *Config) *Duration { return &c.Keepalive.Interval }, duration(100*millisecond, 24*hour)),
	bind("keepalive.drop", func(c *Config) *bool { return &c.Keepalive.Drop }, boolean()),
	bind("keepalive.grace", func(c *Config) *Duration { return &c.Keepalive.Grace }, duration(10*millisecond, 24*hour)),
	bind("keepalive.native_pings", func(c *Config) *bool { return &c.Keepalive.NativePings }, boolean()),

	bind("close.timeout", func(c *Config) *Duration { return &c.Close.Timeout }, duration(10*millisecond, 10*minute)),

	bind("outbound.queue_bytes", func(c *Config) *int { return &c.Outbound.QueueBytes }, integer(4<<10, 1<<30)),
	bind("outbound.policy", func(c *Config) *string { return &c.Outbound.Policy }, choice(PolicyClose, PolicyDropNewest, PolicyDropOldest)),

	bind("requests.timeout", func(c *Config) *Duration { return &c.Requests.Timeout }, duration(10*millisecond, 24*hour)),
	bind("requests.max_pending", func(c *Config) *int { return &c.Requests.MaxPending }, integer(1, 1<<20)),

	bind("script.console", func(c *Config) *bool { return &c.Script.Console }, boolean()),
	bind("script.cpu_limit", func(c *Config) *Duration { return &c.Script.CPULimit }, duration(millisecond, minute)),
	bind("script.timeout", func(c *Config) *Duration { return &c.Script.Timeout }, duration(10*millisecond, 24*hour)),
	bind("script.max_heap_bytes", func(c *Config) *int { return &c.Script.MaxHeapBytes }, integer(1<<20, 1<<40)),
	bind("script.fetch", func(c *Config) *[]string { return &c.Script.Fetch },
		list(0, text(`"example.com", "example.com:8443", "*.example.com" or an IP address`, checkHost))),
	bind("script.listen", func(c *Config) *bool { return &c.Script.Listen }, boolean()),

	bind("webhooks.events", func(c *Config) *[]string { return &c.Webhooks.Events },
		list(1, choice("verify", "open", "string", "json", "binary", "creq", "cfg", "close"))),
	bind("webhooks.timeout", func(c *Config) *Duration { return &c.Webhooks.Timeout }, duration(10*millisecond, 10*minute)),
	bind("webhooks.retries", func(c *Config) *int { return &c.Webhooks.Retries }, integer(0, 100)),
	bind("webhooks.backoff", func(c *Config) *Duration { return &c.Webhooks.Backoff }, duration(millisecond, 10*minute)),
	bind("webhooks.max_backoff", func(c *Config) *Duration { return &c.Webhooks.MaxBackoff }, duration(millisecond, hour)),
	bind("webhooks.concurrency", func(c *Config) *int { return &c.Webhooks.Concurrency }, integer(1, 10_000)),
	bind("webhooks.open_after", func(c *Config) *int { return &c.Webhooks.OpenAfter }, integer(1, 1_000_000)),
	bind("webhooks.open_for", func(c *Config) *Duration { return &c.Webhooks.OpenFor }, duration(10*millisecond, hour)),

	bind("inbox.messages", func(c *Config) *int { return &c.Inbox.Messages }, integer(1, 1<<20)),
	bind("inbox.queue_bytes", func(c *Config) *int { return &c.Inbox.QueueBytes }, integer(1<<10, 1<<30)),
	bind("inbox.total_bytes", func(c *Config) *int { return &c.Inbox.TotalBytes }, integer(1<<10, 1<<40)),
	bind("inbox.policy", func(c *Config) *string { return &c.Inbox.Policy }, choice(PolicyClose, PolicyDropNewest, PolicyDropOldest)),

	bind("verify.timeout", func(c *Config) *Duration { return &c.Verify.Timeout }, duration(10*millisecond, 10*minute)),

	bind("http.health_path", func(c *Config) *string { return &c.HTTP.HealthPath }, text(`"/exact/path" or ""`, checkHealthPath)),
	bind("http.max_requests", func(c *Config) *int { return &c.HTTP.MaxRequests }, integer(1, 100_000)),
	bind("http.max_body_bytes", func(c *Config) *int { return &c.HTTP.MaxBodyBytes }, integer(0, 1<<40)),
	bind("http.idle_timeout", func(c *Config) *Duration { return &c.HTTP.IdleTimeout }, duration(100*millisecond, hour)),
	bind("http.stall_timeout", func(c *Config) *Duration { return &c.HTTP.StallTimeout }, duration(100*millisecond, hour)),
	bind("http.proxy_timeout", func(c *Config) *Duration { return &c.HTTP.ProxyTimeout }, duration(10*millisecond, hour)),

	bind("web.client_path", func(c *Config) *string { return &c.Web.ClientPath }, text(`"/", "/directory/" or ""`, checkDirectory)),
	bind("web.demo_path", func(c *Config) *string { return &c.Web.DemoPath }, text(`"/", "/directory/" or ""`, checkDirectory)),

	bind("shutdown.deadline", func(c *Config) *Duration { return &c.Shutdown.Deadline }, duration(10*millisecond, 10*minute)),

	bind("log.level", func(c *Config) *string { return &c.Log.Level }, choice("debug", "info", "warn", "error")),
	bind("log.format", func(c *Config) *string { return &c.Log.Format }, choice("auto", "console", "json")),
}
