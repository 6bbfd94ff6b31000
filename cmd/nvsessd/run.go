package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/nvsess/nvsess/internal/admin"
	"github.com/nvsess/nvsess/internal/auth"
	"github.com/nvsess/nvsess/internal/config"
	"github.com/nvsess/nvsess/internal/listen"
	"github.com/nvsess/nvsess/internal/route"
	"github.com/nvsess/nvsess/internal/script"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/webhook"
	"github.com/nvsess/nvsess/internal/ws"
)

// run is the daemon from its command line to its end. It returns when ctx is
// done or a signal has ended it, after everything is closed.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	if f.version {
		fmt.Fprintln(stdout, "nvsessd", versionString())
		return nil
	}
	cfg, err := f.load()
	if err != nil {
		return err
	}
	if f.check {
		if err := check(&cfg); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "configuration is valid")
		return nil
	}
	// Caught from before the first socket exists, so that a stop during the
	// start leaves nothing behind.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	// Who reads the log may end first: Ctrl-C ends all of "nvsessd | tee log".
	// A line lost is no reason to drop the sessions.
	signal.Ignore(syscall.SIGPIPE)

	log, level, lines, err := newLogger(&cfg.Log, stderr)
	if err != nil {
		return err
	}
	defer lines.close()
	// Idle sessions dominate the heap and the hot paths do not allocate, so
	// collecting a little more often costs next to nothing and keeps the memory
	// per session near its real size.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := raiseFileLimit(log); err != nil {
		return err
	}

	socks, err := openSockets(&cfg, log)
	if err != nil {
		return err
	}
	defer socks.close(log)

	d := &daemon{cfg: &cfg, log: log, lines: lines, level: level, sockets: socks, byHand: term.IsTerminal(int(os.Stdin.Fd()))}
	if err := d.start(); err != nil {
		return err
	}
	d.announce(stdout)
	return d.serve(ctx, signals)
}

const gcPercent = 50

// daemon is the running process.
type daemon struct {
	cfg      *config.Config
	log      *zap.Logger
	lines    *logQueue
	level    zap.AtomicLevel
	sockets  *sockets
	sessions *session.Server
	auth     *auth.Authenticator // nil: none
	routes   *route.Server       // nil: none
	webhook  *webhook.Hook       // nil: none
	script   *script.Engine
	admin    *admin.Server
	adminErr chan error
	serving  sync.WaitGroup    // what feeds adminErr
	missing  map[string]string // what is wrong with sockets that are gone, by address
	byHand   bool              // started from a terminal
}

func (d *daemon) start() (err error) {
	defer func() {
		if err != nil && d.script != nil {
			err = errors.Join(err, d.script.Close(context.Background()))
		}
		if err != nil {
			stopRoutes(context.Background(), d.routes, d.log)
		}
	}()
	listeners, err := d.sockets.listeners(d.cfg)
	if err != nil {
		return err
	}
	opt, err := sessionOptions(d.cfg, d.log)
	if err != nil {
		return err
	}
	if d.auth, err = newAuthenticator(d.cfg); err != nil {
		return err
	}
	if d.auth != nil {
		opt.Auth = d.auth
	}
	if d.routes, err = newRoutes(d.cfg, d.log); err != nil {
		return err
	}
	addRoutes(&opt, d.routes)
	if d.sessions, err = session.NewServer(opt); err != nil {
		return err
	}
	if d.webhook, err = startWebhook(d.cfg, d.sessions, d.log); err != nil {
		return err
	}
	if err := d.startScript(); err != nil {
		return err
	}
	uids, gids, err := d.cfg.Admin.Allowed()
	if err != nil {
		return err
	}
	// Whom the socket's group lets in by its mode, the daemon lets in, too.
	groups, err := d.sockets.adminGroups()
	if err != nil {
		return err
	}
	gids = append(gids, groups...)
	d.admin = admin.NewServer(admin.Options{
		Sessions: d.sessions, Log: d.log, Version: versionString(),
		Config:      func() any { return d.effective() },
		LogLost:     d.lines.Lost,
		DrainDelay:  func() time.Duration { return d.cfg.Shutdown.Delay.Std() },
		LogLevel:    func() string { return d.level.String() },
		SetLogLevel: func(s string) error { return d.level.UnmarshalText([]byte(s)) },
		Script:      newConsole(d.script), NoConsole: !d.cfg.Script.Console,
		AllowUIDs: uids, AllowGIDs: gids,
	})
	d.adminErr, d.missing = make(chan error, 1), map[string]string{}
	var operators []net.Listener
	for _, s := range d.sockets.admin {
		ln, err := s.NetListener()
		if err != nil {
			closeAll(operators)
			return err
		}
		operators = append(operators, ln)
	}
	if err := d.sessions.Start(append(listeners, d.sockets.takeEarly()...)); err != nil {
		closeAll(operators)
		return fmt.Errorf("cannot start the event loops: %w", err)
	}
	for i, ln := range operators {
		d.serveOperators(d.sockets.admin[i], ln)
	}
	return nil
}

func closeAll(list []net.Listener) {
	for _, ln := range list {
		_ = ln.Close()
	}
}

// serveOperators answers on a socket for as long as it is open.
func (d *daemon) serveOperators(sock *listen.Socket, ln net.Listener) {
	d.sockets.operators[sock] = ln
	d.serving.Go(func() {
		if err := d.admin.Serve(ln); err != nil {
			select {
			case d.adminErr <- err:
			default: // another failed already
			}
		}
	})
}

// serve waits for the end.
func (d *daemon) serve(ctx context.Context, signals <-chan os.Signal) error {
	stopWatchdog := notifyReady(d.sessions, d.log)
	defer stopWatchdog()
	d.log.Info("ready", zap.String("version", versionString()), zap.Int("pid", os.Getpid()),
		zap.Stringers("listen", d.sockets.public), zap.Stringers("admin", d.sockets.admin), zap.String("mode", d.sessions.Mode()))

	check := time.NewTicker(socketCheck)
	defer check.Stop()
	var failed error
	for serving := true; serving; {
		select {
		case <-ctx.Done():
			serving = false
		case sig := <-signals:
			if sig == syscall.SIGHUP && !d.hungUp() {
				d.reload()
				d.mendSockets()
				continue
			}
			d.log.Info("stopping", zap.Stringer("signal", sig))
			serving = false
		case <-check.C:
			d.mendSockets()
		case failed = <-d.adminErr:
			d.log.Error("the admin socket failed", zap.Error(failed))
			serving = false
		}
	}
	notifyStopping()
	return errors.Join(failed, d.stop(signals))
}

// hungUp reports whether the terminal that the daemon was started from is gone:
// what SIGHUP says then.
func (d *daemon) hungUp() bool {
	_, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	return d.byHand && err != nil
}

// stop closes every session with 1001, within the deadline. A second signal
// cuts it short, which is an error. Until the sessions are gone whoever else
// comes is told so, but at systemd's sockets, where he waits for the next process.
func (d *daemon) stop(signals <-chan os.Signal) error {
	d.sessions.Drain()
	d.sockets.closeInherited(d.log)
	d.delayStop(signals)
	deadline := d.cfg.Shutdown.Deadline.Std()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	done := make(chan struct{})
	var cut atomic.Bool
	defer close(done)
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig == syscall.SIGHUP && !d.hungUp() {
					continue
				}
				d.log.Warn("ending at once", zap.Stringer("signal", sig))
				cut.Store(true)
				cancel()
			case <-done:
			}
			return
		}
	}()
	n, began := d.sessions.Len(), time.Now()
	if err := d.sessions.Shutdown(ctx, ws.CloseGoingAway, "server is shutting down"); err != nil {
		d.log.Warn("some sessions did not close in time and were cut", zap.Error(err))
	}
	d.sockets.closePublic(d.log)
	stopRoutes(ctx, d.routes, d.log)
	d.stopScript(ctx)
	stopWebhook(ctx, d.webhook, d.log)
	adminCtx, cancelAdmin := context.WithTimeout(context.Background(), time.Second)
	defer cancelAdmin()
	if err := d.admin.Shutdown(adminCtx); err != nil {
		d.log.Warn("some operators' calls were cut", zap.Error(err))
	}
	d.serving.Wait()
	d.log.Info("stopped", zap.Int("sessions", n), zap.Duration("took", time.Since(began)))
	if cut.Load() {
		return errCutShort
	}
	return nil
}

// delayStop leaves the sessions alone for shutdown.delay, or until a signal. Once
// drained, health has said long ago that there is nobody here.
func (d *daemon) delayStop(signals <-chan os.Signal) {
	delay := d.cfg.Shutdown.Delay.Std()
	if delay == 0 || d.sessions.DrainState().Phase == session.Drained {
		return
	}
	d.log.Info("draining", zap.Duration("delay", delay), zap.Int("sessions", d.sessions.Len()))
	over := time.NewTimer(delay)
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return
		case sig := <-signals:
			if sig == syscall.SIGHUP && !d.hungUp() {
				continue
			}
			d.log.Info("closing sessions without further delay", zap.Stringer("signal", sig))
			return
		}
	}
}

// effective is the configuration as it is in force: with the addresses that are
// listened at.
func (d *daemon) effective() *config.Config {
	c := *d.cfg
	c.Listen, c.Admin.Listen = d.sockets.addresses()
	return &c
}

var errCutShort = errors.New("ended at once by a second signal")
