package config

// keys is the whole file, in the order configs/nvsess.toml has it.
var keys = []key{
	bind("listen", func(c *Config) *[]string { return &c.Listen }, list(1, text(allowedAddr, checkAddr))),
	bind("mode", func(c *Config) *string { return &c.Mode }, choice(ModeHandlers, ModeForward, ModeEcho)),
	bind("subprotocols", func(c *Config) *[]string { return &c.Subprotocols }, list(0, text("a token such as \"chat.v1\"", checkToken))),
	bind("paths", func(c *Config) *[]string { return &c.Paths }, list(0, text(`"/exact/path" or "/prefix/*"`, checkPath))),
	bind("tls_cert", func(c *Config) *string { return &c.TLSCert }, text(`a file, or ""`, checkFile)),
	bind("tls_key", func(c *Config) *string { return &c.TLSKey }, text(`a file, or ""`, checkFile)),
	bind("loops", func(c *Config) *int { return &c.Loops }, integer(0, 1024)),

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
	bind("handshake.origins", func(c *Config) *[]string { return &c.Handshake.Origins },
		list(0, text(`"same", "*", "https://example.com" or "https://*.example.com"`, checkOrigin))),
	bind("handshake.trusted_proxies", func(c *Config) *[]string { return &c.Handshake.TrustedProxies },
		list(0, text(`"unix", an IP address or a CIDR such as "10.0.0.0/8"`, checkProxy))),

	bind("message.max_frame_bytes", func(c *Config) *int { return &c.Message.MaxFrameBytes }, integer(125, 1<<30)),
	bind("message.max_message_bytes", func(c *Config) *int { return &c.Message.MaxMessageBytes }, integer(125, 1<<30)),
	bind("message.max_fragments", func(c *Config) *int { return &c.Message.MaxFragments }, integer(1, 1<<20)),
	bind("message.fragment_outgoing", func(c *Config) *bool { return &c.Message.FragmentOutgoing }, boolean()),
	bind("message.fragment_threshold_bytes", func(c *Config) *int { return &c.Message.FragmentThresholdBytes }, integer(125, 1<<30)),

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

	bind("shutdown.deadline", func(c *Config) *Duration { return &c.Shutdown.Deadline }, duration(10*millisecond, 10*minute)),

	bind("log.level", func(c *Config) *string { return &c.Log.Level }, choice("debug", "info", "warn", "error")),
	bind("log.format", func(c *Config) *string { return &c.Log.Format }, choice("auto", "console", "json")),
}
