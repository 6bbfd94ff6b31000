package config

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestMounts(t *testing.T) {
	c, err := Parse("f", []byte(`
mode = "echo"
subprotocols = ["top"]
paths = ["/ws"]
[message]
max_fragments = 7

[[mount]]
paths = ["/a", "/a/*"]
origins = []
compression = "on"
sessions = 3

[log]
level = "debug"

[[mount]] # the second
paths = ["/b"]
mode = "forward"
subprotocols = ["b"]
origins = ["https://b"]
max_frame_bytes = 125
max_message_bytes = 126
max_fragments = 2
messages_per_second = 1
messages_burst = 2
bytes_per_second = 3
bytes_burst = 65536
rate_policy = "close"
headers = ["X-A: b"]
auth = "required"

[auth]
tokens_file = "/t"
`))
	if err != nil {
		t.Fatal(err)
	}
	c.Handshake.Headers = []string{"X-Top: y"} // a flag, say: it comes after the file, and counts
	all := c.AllMounts()
	for i := range all {
		all[i].own = nil
	}
	want := []Mount{
		{[]string{"/ws"}, "echo", []string{"top"}, []string{"same"}, "off", "off", 1 << 20, 1 << 20, 7, 100_000, 200_000, 256 << 20, 256 << 20, "delay", []string{"X-Top: y"}, 0, nil},
		{[]string{"/a", "/a/*"}, "echo", []string{"top"}, []string{}, "on", "off", 1 << 20, 1 << 20, 7, 100_000, 200_000, 256 << 20, 256 << 20, "delay", []string{"X-Top: y"}, 3, nil},
		{[]string{"/b"}, "forward", []string{"b"}, []string{"https://b"}, "off", "required", 125, 126, 2, 1, 2, 3, 65536, "close", []string{"X-A: b"}, 0, nil},
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("got  %+v\nwant %+v", all, want)
	}
	if c.Log.Level != "debug" {
		t.Error("what stands between mounts was lost")
	}
	data, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Mount []map[string]any
		Route []map[string]any
	}
	if err := json.Unmarshal(data, &got); err != nil || len(got.Mount) != 2 || got.Mount[0]["mode"] != "echo" || got.Mount[1]["max_fragments"] != 2.0 || got.Route == nil {
		t.Errorf("%v: %s", err, data)
	}
}

func TestRoutes(t *testing.T) {
	c, err := Parse("f", []byte(`
[[route]]
path = "/app/*"
files = "/srv/www"
[[route]]
path = "/api"
proxy = "http+unix:///run/app.sock:/v1"
headers = ["Cache-Control: no-store"]
[[route]]
path = "/*"
redirect = "/app/*"
status = 308
`))
	want := []Route{
		{Path: "/app/*", Files: "/srv/www"},
		{Path: "/api", Proxy: "http+unix:///run/app.sock:/v1", Headers: []string{"Cache-Control: no-store"}},
		{Path: "/*", Redirect: "/app/*", Status: 308},
	}
	if err != nil || !reflect.DeepEqual(c.Routes, want) {
		t.Errorf("%+v, %v", c.Routes, err)
	}
}

func TestTablesAreReportedWithIndexAndLine(t *testing.T) {
	for name, tt := range map[string]struct {
		doc  string
		want []string // prefixes, one a line
	}{
		"each in its own table": {
			"[[mount]]\npaths = [\"/a\"]\nmode = \"x\"\n[[mount]]\npaths = [\"/b\"]\norigins = 1\n[[route]]\npath = \"c\"\n",
			[]string{
				`f:3: mount[0].mode: "x" is not one of them; allowed: "handlers", "forward", "echo"`,
				`f:6: mount[1].origins: must be a list, not 1; allowed: a list, each "same"`,
				`f:8: route[0].path: "c" does not begin with "/"; allowed: `,
			},
		},
		"unknown key":   {"\n[[mount]]\npaths = [\"/a\"]\nmodus = 1", []string{`f:4: mount[0].modus: unknown key; allowed: paths, mode, subprotocols, origins, `}},
		"unknown table": {"[[mount]]\npaths = [\"/a\"]\n[mount.limits]\nx = 1", []string{`f:3: mount[0].limits: unknown key; allowed: paths, `}},
		"no paths":      {"\n\n[[mount]]\n", []string{`f:3: mount[0].paths: the list is too short; allowed: a list of at least 1, each "/exact/path" or "/prefix/*"`}},
		"not tables":    {"mount = 1", []string{`f:1: mount: must be tables, each under its own [[mount]]; allowed: paths, `}},
		"one table":     {"[mount]\npaths = [\"/a\"]", []string{`f:1: mount: must be tables, each under its own [[mount]]; allowed: paths, `}},
		"inline tables": {"\nmount = [{paths = [\"/a\"]}]", []string{`f:2: mount: must be tables, each under its own [[mount]]; allowed: paths, `}},
		"look-alikes": {
			"handlers = '''\n[[mount]]\n'''\n[['mount']]\npaths = ['''\n[[mount]]''']\n[[ \"mount\" ]] # b\nsessions = -1\npaths = [\"/b\"]\n",
			[]string{
				"f:3: handlers: \"[[mount]]\\n\" cannot be a file",
				`f:5: mount[0].paths: "[[mount]]" does not begin with "/"`,
				`f:8: mount[1].sessions: -1 is out of range; allowed: 0 to 1073741824`,
			},
		},
		"too many":                             {strings.Repeat("[[route]]\n", 257), []string{`f:257: route: there are 257 tables, more than 256`}},
		"the top level knows of them":          {"mounts = 1", []string{`f:1: mounts: unknown key; allowed: listen, mode, `}},
		"a path in two mounts":                 {"[[mount]]\npaths = [\"/a\"]\n[[mount]]\nmode = \"echo\"\npaths = [\"/b\", \"/a\"]", []string{`f:5: mount[1].paths: "/a" is in mount[0].paths as well; allowed: each path in one place`}},
		"a path of the top level":              {"paths = [\"/a/*\"]\n[[mount]]\npaths = [\"/a/*\"]", []string{`f:3: mount[0].paths: "/a/*" is in paths as well`}},
		"a path of a mount":                    {"[[mount]]\npaths = [\"/a\"]\n[[route]]\npath = \"/a\"\nfiles = \"/x\"", []string{`f:4: route[0].path: "/a" is in mount[0].paths as well`}},
		"message below the frames":             {"[[mount]]\npaths = [\"/a\"]\nmax_message_bytes = 200", []string{`f:3: mount[0].max_message_bytes: a message is at least one frame, but max_message_bytes is 200 and max_frame_bytes is 1048576`}},
		"frames above the top level's message": {"[[mount]]\npaths = [\"/a\"]\nmax_frame_bytes = 2000000", []string{`f:3: mount[0].max_frame_bytes: a message is at least one frame, but max_message_bytes is 1048576`}},
		"messages that cannot come at once":    {"[limits]\npolicy = \"drop\"\n[[mount]]\npaths = [\"/a\"]\nbytes_burst = 65536", []string{`f:5: mount[0].bytes_burst: a message may have 1048576 bytes, of which 65536 may come at once; allowed: max_message_bytes up to bytes_burst`}},
		"messages of the top level, too":       {"[limits]\nbytes_burst = 65536\npolicy = \"close\"", []string{`f:3: limits.policy: a message may have 1048576 bytes, of which 65536 may come at once; allowed: message.max_message_bytes up to`}},
		"a field that is not to be set":        {"[[mount]]\npaths = [\"/a\"]\nheaders = [\"Sec-WebSocket-Accept: x\"]", []string{`f:3: mount[0].headers: "Sec-WebSocket-Accept" is not for a configuration to set; allowed: a list, each "Name: value"`}},
		"nothing at a path":                    {"[[route]]\npath = \"/a\"", []string{`f:1: route[0]: it has 0 of files, proxy and redirect; allowed: one of`}},
		"two things at a path":                 {"[[route]]\npath = \"/a\"\nfiles = \"/x\"\nproxy = \"http://x\"", []string{`f:1: route[0]: it has 2 of files, proxy and redirect`}},
		"a status without a redirect":          {"[[route]]\npath = \"/a\"\nfiles = \"/x\"\nstatus = 301", []string{`f:1: route[0]: status is a redirect's`}},
		"another status":                       {"[[route]]\npath = \"/a\"\nredirect = \"/b\"\nstatus = 200", []string{`f:4: route[0].status: 200 is not a redirect's; allowed: 301, 302, 307, 308`}},
		"a star without one":                   {"[[route]]\npath = \"/a\"\nredirect = \"/b/*\"", []string{`f:1: route[0]: the redirect "/b/*" has a star, but the path "/a" has none`}},
		"no redirect":                          {"[[route]]\npath = \"/a\"\nredirect = \"javascript:x\"", []string{`f:3: route[0].redirect: "javascript:x" is neither a web address nor a path`}},
		"a redirect to any host":               {"[[route]]\npath = \"/a\"\nredirect = \"//x/\"", []string{`f:3: route[0].redirect: "//x/" is neither a web address nor a path`}},
		"no backend":                           {"[[route]]\npath = \"/a\"\nproxy = \"app.sock\"", []string{`f:3: route[0].proxy: "app.sock" is no address of a web server`}},
		"a backend's query":                    {"[[route]]\npath = \"/a\"\nproxy = \"http://x/?a\"", []string{`f:3: route[0].proxy: "http://x/?a" has a query`}},
		"files where the daemon runs":          {"[[route]]\npath = \"/a\"\nfiles = \"www\"", []string{`f:3: route[0].files: "www" must be an absolute path`}},
		"a page's path":                        {"[[route]]\npath = \"/nvsess/nvsess.mjs\"\nfiles = \"/x\"", []string{`f:2: route[0].path: "/nvsess/nvsess.mjs" is in web.client_path as well`}},
		"the health's path":                    {"[[route]]\npath = \"/healthz\"\nfiles = \"/x\"", []string{`f:2: route[0].path: "/healthz" is in http.health_path as well`}},
		"health at a page's path":              {"[http]\nhealth_path = \"/\"\n[web]\ndemo_path = \"/\"", []string{`f:2: http.health_path: "/" is in web.demo_path as well`}},
		"health at a path of sessions":         {"paths = [\"/healthz\"]", []string{`f:1: paths: "/healthz" is in http.health_path as well; allowed: each path in one place`}},
		"the directory of pages":               {"[web]\nclient_path = \"/c/\"\n[[route]]\npath = \"/c/*\"\nfiles = \"/x\"", []string{`f:4: route[0].path: "/c/*" is the directory of web.client_path`}},
		"a redirect to itself":                 {"[[route]]\npath = \"/x/*\"\nredirect = \"/x/*\"", []string{`f:3: route[0].redirect: "/x/*" is at "/x/*" again, for ever`}},
		"a redirect below itself":              {"[[route]]\npath = \"/x/*\"\nredirect = \"/x/y?z\"", []string{`f:3: route[0].redirect: "/x/y?z" is at "/x/*" again`}},
		"an exact redirect to itself":          {"[[route]]\npath = \"/x\"\nredirect = \"/x?y\"", []string{`f:3: route[0].redirect: "/x?y" is at "/x" again`}},
		"dot segments of a route":              {"[[route]]\npath = \"/x/../y\"\nfiles = \"/x\"", []string{`f:2: route[0].path: "/x/../y" has the segment ".."`}},
		"dot segments of a mount":              {"[[mount]]\npaths = [\"/x/%2E/*\"]", []string{`f:2: mount[0].paths: "/x/%2E/*" has the segment "%2E"`}},
	} {
		t.Run(name, func(t *testing.T) { isRefused(t, tt.doc, tt.want) })
	}
}

// The shipped file shows each key of the lists of tables, with a value that is right.
func TestShippedFileShowsTheTables(t *testing.T) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^# ((\[\[(mount|route)\]\])|(\w+ = \S.*))$`)
	var doc strings.Builder
	for _, m := range shown.FindAllStringSubmatch(string(data), -1) {
		doc.WriteString(m[1] + "\n")
	}
	c, err := Parse("examples", []byte(doc.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, doc.String())
	}
	for _, k := range mountKeys {
		if k.inherit != nil && !c.Mounts[0].own[k.name] {
			t.Errorf("mount: %s is not shown", k.name)
		}
	}
	for _, k := range routeKeys {
		if !strings.Contains(doc.String(), "\n"+k.name+" = ") {
			t.Errorf("route: %s is not shown", k.name)
		}
	}
}
