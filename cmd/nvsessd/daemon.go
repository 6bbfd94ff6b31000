package main

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/route"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/webhook"
)

// daemon is the running process.
type daemon struct {
	flags    flags
	cfg      atomic.Pointer[config.Config] // in effect, see config
	log      *zap.Logger
	lines    *logQueue
	level    zap.AtomicLevel
	sockets  *sockets
	sessions *session.Server
	cert     currentCert
	routes   *route.Server // nil: none; like webhook changed by reloads
	webhook  *webhook.Hook // nil: none
	reloads  reloads
	script   *script.Engine
	admin    *admin.Server
	adminErr chan error
	serving  sync.WaitGroup // what feeds adminErr
	telling  telling
	missing  map[string]string // what is wrong with sockets that are gone, by address
	byHand   bool              // started from a terminal
	keeping  *keeping          // nil: sessions end with the process

	configuredLevel zap.AtomicLevel // of the log
	started         time.Time       // the first of the processes
	upgrades        chan upgradeRequest
	upgradeCount    uint64 // so far
	outcome         atomic.Pointer[upgradeOutcome]
	upgradesFailed  atomic.Uint64
	tookOver        atomic.Pointer[tookOver]
}

// config is the configuration in effect. It is immutable.
func (d *daemon) config() *config.Config { return d.cfg.Load() }

// effective is the configuration as it is in force: with the addresses that are
// listened at.
func (d *daemon) effective() *config.Config {
	c := *d.config()
	c.Listen, c.Admin.Listen = d.sockets.addresses()
	return &c
}
