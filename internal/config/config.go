package config

// What the daemon does with a message that is not part of the session protocol.
const (
	ModeHandlers = "handlers" // it goes to the registered handlers
	ModeForward  = "forward"  // it goes to every other session
	ModeEcho     = "echo"     // it goes back to its sender
)

// Whether permessage-deflate is agreed on.
const (
	CompressionOff         = "off"
	CompressionOn          = "on"
	CompressionReceiveOnly = "receive_only" // what is sent goes as it is
)

// Who needs a token.
const (
	AuthOff      = "off"      // nobody, and none is looked at
	AuthOptional = "optional" // nobody, but a wrong one is refused
	AuthRequired = "required" // everybody
)

// What happens to a connection, or a message, when its outbound queue or its inbox is full.
const (
	PolicyClose      = "close"       // the connection is closed: with 1013 when it does not read, with 1008 when it floods
	PolicyDropNewest = "drop_newest" // the message that does not fit is dropped
	PolicyDropOldest = "drop_oldest" // whole messages waiting longest are dropped to make room
)

// What happens to what a session sends too fast; PolicyClose is with 1008.
const (
	PolicyDelay = "delay" // it is read later
	PolicyDrop  = "drop"  // messages are dropped
)

// Entries with a meaning of their own in Handshake.Origins and Handshake.TrustedProxies.
const (
	OriginSame = "same" // the Origin's host name is the Host header's
	OriginAny  = "*"    // any Origin
	ProxyUnix  = "unix" // whoever may connect to a unix listener
)

// Config is everything the file can say. Each field is described in configs/nvsess.toml, under its key.
type Config struct {
	Listen       []string // addresses, "%t" not yet expanded: see ListenAddrs
	Mode         string
	Subprotocols []string // the client's order decides
	Paths        []string // exact, or a prefix when ending in "/*"; none: any path
	TLSCert      string
	TLSKey       string
	Loops        int // 0: one per core
	Compression  string
	Handlers     string // a file; Load makes it absolute; empty: none
	Webhook      string // "http://...", "https://..." or "http+unix:///socket:/path"; empty: none

	Socket    Socket
	Admin     Admin
	Handshake Handshake
	Auth      Auth
	Message   Message
	Deflate   Deflate
	Limits    Limits
	Keepalive Keepalive
	Close     Close
	Outbound  Outbound
	Requests  Requests
	Script    Script
	Webhooks  Webhooks
	Inbox     Inbox
	Verify    Verify
	HTTP      HTTP
	Web       Web
	Shutdown  Shutdown
	Metrics   Metrics
	Log       Log

	Mounts []Mount // besides the top level's: see AllMounts
	Routes []Route
}

// Socket is how the unix listeners the daemon creates itself look in the file system.
type Socket struct {
	Mode  FileMode
	Owner string // name or number; empty: the daemon's own
	Group string
}

// Admin is the operator's socket.
type Admin struct {
	Listen      string // an address, "%t" not yet expanded: see AdminAddr
	Mode        FileMode
	Owner       string
	Group       string
	AllowUsers  []string // besides root and the daemon's own user
	AllowGroups []string
}

// Handshake bounds and judges the HTTP request that opens a connection.
type Handshake struct {
	Timeout        Duration
	MaxBytes       int
	MaxHeaders     int
	Rate           int // per second; 0: unlimited
	Origins        []string
	TrustedProxies []string
	Headers        []string // of the answer, "Name: value"
}

// Auth is how it is found out who asks for a session.
type Auth struct {
	Mode          string
	Sources       []string // "header", "query:NAME", "cookie:NAME", "protocol:PREFIX"
	Tokens        []string // "NAME sha256:HEX"
	TokensFile    string   // empty: none
	JWTSecretFile string   // empty: none
	JWTKeysFile   string   // empty: none
	JWTAlgorithms []string // none: whatever the keys are for
	JWTAudience   []string // none: a token must name none
	JWTIssuer     string   // empty: any
	JWTLeeway     Duration
	JWTRequireExp bool
}

// Believes reports whether there is any token that opens a session.
func (a *Auth) Believes() bool {
	return len(a.Tokens) > 0 || a.TokensFile != "" || a.hasKeys()
}

func (a *Auth) hasKeys() bool { return a.JWTSecretFile != "" || a.JWTKeysFile != "" }

// Message bounds what is received and shapes what is sent.
type Message struct {
	MaxFrameBytes          int
	MaxMessageBytes        int // at least MaxFrameBytes
	MaxFragments           int
	Timeout                Duration // until a message that has begun is whole; 0: none
	FragmentOutgoing       bool
	FragmentThresholdBytes int
}

// Deflate is how permessage-deflate compresses (RFC 7692).
type Deflate struct {
	ThresholdBytes        int  // smaller payloads are sent as they are
	ServerContextTakeover bool // the sending side remembers earlier messages
	ClientContextTakeover bool
	ServerMaxWindowBits   int // 8 to 15
	ClientMaxWindowBits   int
}

// Limits bounds who may connect and how fast a session may send. A rate of 0 is no limit.
type Limits struct {
	Sessions              int // 0: as many as there are descriptors for
	SessionsPerAddress    int // 0: three quarters of that
	ConnectionsPerAddress int // 0: three quarters of that
	HandshakesPerAddress  int // per second
	HandshakesBurst       int
	MessagesPerSecond     int
	MessagesBurst         int
	BytesPerSecond        int
	BytesBurst            int
	Policy                string
	MemoryBytes           int      // that all connections hold of messages; 0: no limit
	Idle                  Duration // 0: none
}

// Keepalive is how a silent session is noticed.
type Keepalive struct {
	Enabled     bool
	Interval    Duration
	Drop        bool
	Grace       Duration // counted as Interval when longer
	NativePings bool
}

// Close is the closing handshake.
type Close struct {
	Timeout Duration
}

// Outbound is what may wait for a peer that reads slowly.
type Outbound struct {
	QueueBytes int
	Policy     string
}

// Requests are the questions a peer must answer.
type Requests struct {
	Timeout    Duration
	MaxPending int // per session
}

// Script bounds what JavaScript may do.
type Script struct {
	Console      bool // JavaScript at nvsessctl's prompt
	CPULimit     Duration
	Timeout      Duration // for a handler's promise
	MaxHeapBytes int      // by which a call may grow the heap
	Fetch        []string // hosts that fetch may reach
	Listen       bool     // srv.start(ADDRESS) may open listeners
}

// Webhooks is how the webhook is called.
type Webhooks struct {
	Events      []string
	Timeout     Duration // of one attempt
	Retries     int
	Backoff     Duration // before the first retry; doubled each time
	MaxBackoff  Duration
	Concurrency int // requests under way
	OpenAfter   int // failures in a row that open the circuit
	OpenFor     Duration
}

// Inbox is what may wait for JavaScript and the webhook.
type Inbox struct {
	Messages   int // per session
	QueueBytes int // per session
	TotalBytes int // of all sessions
	Policy     string
}

// Verify is the decision before the upgrade, by JavaScript or the webhook.
type Verify struct {
	Timeout    Duration
	MaxPending int // handshakes at a time
}

// HTTP bounds requests that ask for no upgrade.
type HTTP struct {
	HealthPath   string // empty: none
	MaxRequests  int    // to routes, at a time
	MaxBodyBytes int    // of a request to a route
	IdleTimeout  Duration
	StallTimeout Duration
	ProxyTimeout Duration
}

// Web is what the daemon serves to browsers.
type Web struct {
	ClientPath string // ends in "/"; empty: the client is not served
	DemoPath   string // ends in "/"; empty: the demo is not served
}

// Shutdown is the way out.
type Shutdown struct {
	Delay    Duration // before sessions are closed
	Deadline Duration // for their closing
}

// Metrics are told on the admin socket, and here.
type Metrics struct {
	Listen string // "tcp:HOST:PORT"; empty: nowhere
}

// Log is what is written about all this.
type Log struct {
	Level  string
	Format string
}

// Default gives the configuration of a daemon that was told nothing.
func Default() Config {
	return Config{
		Listen:       []string{"unix:%t/nvsess.sock"},
		Mode:         ModeHandlers,
		Subprotocols: []string{},
		Paths:        []string{},
		Compression:  CompressionOff,
		Socket:       Socket{Mode: 0o660},
		Admin: Admin{
			Listen:      "unix:%t/admin.sock",
			Mode:        0o600,
			AllowUsers:  []string{},
			AllowGroups: []string{},
		},
		Handshake: Handshake{
			Timeout:        10 * second,
			MaxBytes:       16 << 10,
			MaxHeaders:     100,
			Origins:        []string{OriginSame},
			TrustedProxies: []string{ProxyUnix},
			Headers:        []string{},
		},
		Auth: Auth{
			Mode:          AuthOff,
			Sources:       []string{SourceHeader},
			Tokens:        []string{},
			JWTAlgorithms: []string{},
			JWTAudience:   []string{},
			JWTLeeway:     30 * second,
			JWTRequireExp: true,
		},
		Message: Message{
			MaxFrameBytes:          1 << 20,
			MaxMessageBytes:        1 << 20,
			MaxFragments:           1024,
			Timeout:                minute,
			FragmentOutgoing:       true,
			FragmentThresholdBytes: 16 << 10,
		},
		Deflate: Deflate{ThresholdBytes: 256, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15},
		Limits: Limits{
			HandshakesPerAddress: 2000,
			HandshakesBurst:      30_000,
			MemoryBytes:          1 << 30,
			MessagesPerSecond:    100_000,
			MessagesBurst:        200_000,
			BytesPerSecond:       256 << 20,
			BytesBurst:           256 << 20,
			Policy:               PolicyDelay,
		},
		Keepalive: Keepalive{Enabled: true, Interval: 20 * second, Drop: true, Grace: 10 * second},
		Close:     Close{Timeout: 5 * second},
		Outbound:  Outbound{QueueBytes: 1 << 20, Policy: PolicyClose},
		Requests:  Requests{Timeout: 15 * second, MaxPending: 64},
		Script: Script{
			Console:      true,
			CPULimit:     2 * second,
			Timeout:      30 * second,
			MaxHeapBytes: 256 << 20,
			Fetch:        []string{},
		},
		Webhooks: Webhooks{
			Events:      []string{"string", "json", "binary", "creq"},
			Timeout:     5 * second,
			Retries:     2,
			Backoff:     200 * millisecond,
			MaxBackoff:  5 * second,
			Concurrency: 64,
			OpenAfter:   10,
			OpenFor:     10 * second,
		},
		Inbox:  Inbox{Messages: 256, QueueBytes: 1 << 20, TotalBytes: 64 << 20, Policy: PolicyClose},
		Verify: Verify{Timeout: 5 * second, MaxPending: 4096},
		HTTP: HTTP{
			HealthPath:   "/healthz",
			MaxRequests:  256,
			MaxBodyBytes: 1 << 20,
			IdleTimeout:  60 * second,
			StallTimeout: 30 * second,
			ProxyTimeout: 30 * second,
		},
		Web:      Web{ClientPath: "/nvsess/"},
		Shutdown: Shutdown{Deadline: 10 * second},
		Log:      Log{Level: "info", Format: "auto"},
	}
}
