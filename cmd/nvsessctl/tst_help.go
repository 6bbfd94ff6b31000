package main

const tstUsage = `Usage: nvsessctl tst [OPTIONS] URL

Opens many WebSocket clients on one server, holds them, and reports: how many
opened, what failed and how, how long it took, what was lost. Test a server that
is yours.

URL is ws://HOST[:PORT]/PATH, wss://HOST[:PORT]/PATH, ws+unix:///PATH/TO.SOCK or
ws+unix:///PATH/TO.SOCK:/REQUEST/PATH.

Opening:
  -n, --count N        clients to open, 1 to 1,000,000 (4000)
  -w, --wait DURATION  from the beginning of one handshake to the next (5ms;
                       0: as fast as --parallel allows)
  --parallel N         handshakes at a time, 1 to 4096 (32)
  --timeout DURATION   longest handshake (15s)
  -d, --duration DURATION
                       how long to hold them once all are open, up to 24h
                       (until Ctrl-C on a terminal, else 30s)

Sending, either or none:
  --ctrl [JSON]        one more client, the control client, sends this object to
                       a server that forwards (nvsessd -mode forward); without
                       JSON, {"action":"say hello to your left-sib!"}
  --echo [JSON]        each client sends to a server that echoes (-mode echo)
  -e, --every DURATION how often the control client, or each client, sends (10s)
  --size BYTES         pad messages to that size, up to 1024
A member "tst" is added to what is sent: the run, the sender, a number, the time.

Clients:
  -H "NAME: VALUE"     add a header to the handshakes (repeatable)
  --origin ORIGIN      send an Origin header
  --subprotocol NAME   offer a subprotocol (repeatable, the preferred one first)
  --insecure           accept any certificate of a wss server
  --keepalive DURATION ping four times in each, give up a server silent for one
                       (20s)
  --no-keepalive       send no pings; the server's are answered

Report:
  -v                   print what the clients receive
  -q, --quiet          no progress on standard error
  --json               the report as one JSON object
  --fail-on-loss       a lost copy, or one that came twice, is a failure

Latencies are this process's: it and the network take their part, and a machine
that runs the server too measures both. What a client missed because it had
ended is counted apart from what was lost. Ctrl-C ends the test early, closes
the sessions with 1000 and reports; a second one kills.

Ends with status 0 when every client opened and stayed, 1 when not, 2 when the
command line makes no sense, 3 when the server cannot be reached, 4 when it does
not answer in time, 5 when its socket is not for this user, 130 when interrupted
before the end.

The JSON report; times are in seconds, latencies in milliseconds:
  url                  without its password
  clients              asked, begun, opened, failed, closed_early, open_at_end
                       (when the test began to close them), dropped (that did
                       not answer the close frame)
  opening              seconds, per_second, latency
  held_seconds
  errors               of connecting: {KIND: COUNT}
  closed               sessions the test did not close: {"CODE (NAME)": COUNT}
  messages_received    of all clients, keepalive apart
  broadcast, echo      if sent: sent, skipped (not sent in time), expected,
                       received, missed (by clients that had ended), lost,
                       duplicates, latency
  ended                "done", "interrupted", "all clients gone"
  ok, problems         true, or why not in sentences
  process              cpu_seconds and max_rss_bytes of nvsessctl
A latency has count, p50_ms, p90_ms, p99_ms (at most 1 in 128 too high), max_ms.
`
