package main

// What the user types and sees:
//
//	$ nvsessctl connect ws://127.0.0.1:7681/chat
//	connected to ws://127.0.0.1:7681/chat; /help lists the commands, Ctrl-D closes
//	14:03:05.120 cfg    session 5-EfN5za_yJ8nF7WtISBSoLCRzZyyc7ufAwret1dXIIbp3Cr1Uy5FNVNw7hD-NDh, keepalive 20s
//	> hello
//	> {"action":"say hello to your left-sib!"}
//	14:03:09.004 string hello yourself
//	14:03:09.871 json   {"forward":true,"src":"c1"}
//	14:03:10.002 binary 5 bytes
//	  00000000  68 65 6c 6c 6f                                    |hello|
//	14:03:11.340 sreq   qi71fHAs {"hi":"you must reply"}
//	             answer with: /reply qi71fHAs JSON
//	> /reply qi71 {"ok":true}
//	14:03:15.100 cres   qi71fHAs {"ok":true}
//	> /creq {"kkkk":"hi"}
//	14:03:16.201 sres   {
//	  "___type___": "___sres___",
//	  "___id___": "khC6NStjUTNTxzGn1KJp2q-OPvCLPS0UkcE-uBF-eQbZEfpGk8lpSllwWK8RI2r-",
//	  "___data___": {
//	    "myreply": "I got IT"
//	  }
//	} (3.02ms)
//	> /ping
//	14:03:17.000 pong   412µs
//	> /close 4000 enough
//	closed: 4000 "enough"
//
// and in a script, where only what arrives goes to standard output:
//
//	$ echo '{"a":1}' | nvsessctl connect ws://127.0.0.1:7681/ -n 1 --wait 2s
//	14:03:20.511 json   {"b":2}

const connectUsage = `Usage: nvsessctl connect [OPTIONS] URL

Connects to a WebSocket server as a client, sends the lines you type or pipe in,
and prints what arrives.

URL is ws://HOST[:PORT]/PATH, wss://HOST[:PORT]/PATH, ws+unix:///PATH/TO.SOCK or
ws+unix:///PATH/TO.SOCK:/REQUEST/PATH.

Connecting:
  -H "NAME: VALUE"     add a header to the handshake (repeatable)
  --origin ORIGIN      send an Origin header
  --subprotocol NAME   offer a subprotocol (repeatable, the preferred one first)
  --insecure           accept any certificate of a wss server
  --timeout DURATION   longest wait to connect, and for each answer (15s)
  --keepalive DURATION ping four times in each, give up a server silent for one
                       (20s; 0 sends no pings)

Requests of the server (sreq):
  --auto JSON          answer each with this
  --auto-echo          answer each with its own data
                       (without either, answer by hand with /reply)

In a script, that is when standard input or output is no terminal:
  --wait DURATION      after the last line, stay that long for what arrives
  -n COUNT             end after COUNT messages; fail if --wait ends first

Printing:
  --json               each message as a line of JSON
  --pretty             indent JSON always
  --full               print long messages whole
  -v                   show keepalive, and messages that were ignored

Ends with status 0 when the connection closed normally, 1 on an error, 2 when the
command line makes no sense, 3 when nothing listens at URL, 4 when there is no
answer in time, 5 when this user may not connect. Once connected, /help lists the
commands.
`

const connectHelp = `A line that is a JSON object or array goes out as JSON, any other as a string.

  /text STRING        send a string, whatever it looks like
  /json JSON          send JSON; complains if it is none
  /bin HEX            send bytes: /bin 0a 14 1e
  /creq JSON          ask the server, print its whole answer
  /pending            list the server's requests (sreq) that wait for you
  /reply ID JSON      answer one; the beginning of its id will do,
                      and none is needed when only one waits
  /ping               measure the round trip
  /close [CODE [REASON]]  close, with 1000 unless told otherwise
  /help               this

Ctrl-C and Ctrl-D close with 1000.
`
