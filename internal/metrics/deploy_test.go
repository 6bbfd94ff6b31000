package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

const (
	dashboardFile = "../../deploy/grafana/nvsess.json"
	rulesFile     = "../../deploy/prometheus/nvsess.rules.yml"
	scrapeFile    = "../../deploy/prometheus/prometheus.yml"
)

func itoa(n int) string { return strconv.Itoa(n) }

// promtool skips a test where there is none.
func promtool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("there is no promtool")
	}
}

// rules is a file of alerts.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func readRules(t *testing.T) (r rules) {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err == nil {
		err = yaml.UnmarshalStrict(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// dashboard is what is looked at of one.
type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct{ List []struct{ Expr string } }
	Panels      []struct {
		ID          int
		Type, Title string
		GridPos     struct{ H, W, X, Y int }
		Datasource  struct{ Type, UID string }
		FieldConfig struct{ Defaults struct{ Unit string } }
		Options     map[string]any
		Targets     []struct {
			RefID, Expr, LegendFormat string
			Datasource                struct{ Type, UID string }
		}
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// named finds the names of metrics in an expression: what is followed by no
// parenthesis and stands outside of labels, ranges, strings and the lists of
// by, without, on and ignoring.
func named(expr string) (names []string) {
	for _, cut := range []string{`"[^"]*"`, `\{[^}]*\}`, `\[[^\]]*\]`, `\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`} {
		expr = regexp.MustCompile(cut).ReplaceAllString(expr, " ")
	}
	for _, m := range regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`).FindAllString(expr, -1) {
		if name := strings.TrimSpace(m); !strings.HasSuffix(name, "(") && !slices.Contains([]string{"and", "or", "unless", "bool", "offset", "e"}, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestNamed(t *testing.T) {
	for expr, want := range map[string]string{
		`sum by (le, a) (rate(x_total{a="b_c"}[5m])) > 0.1`:                       "x_total",
		`a / on (instance) group_left (x) b and c unless absent(d{e=~"f"}[1h])`:   "a b c d",
		`histogram_quantile(0.99, sum(rate(n_bucket[$__rate_interval])) by (le))`: "n_bucket",
	} {
		if got := strings.Join(named(expr), " "); got != want {
			t.Errorf("%s: %s", expr, got)
		}
	}
}

// checkNames checks that there is every metric that an expression speaks of.
func checkNames(t *testing.T, where, expr string, used map[string]bool) {
	t.Helper()
	names := named(expr)
	if len(names) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, name := range names {
		if !known(name) && !others(t)[name] {
			t.Errorf("%s: there is no %s", where, name)
		}
		used[name] = true
	}
}

// Alerts speak of metrics that there are, and tell who is woken what to do.
func TestRules(t *testing.T) {
	n, seen := 0, map[string]bool{}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			n++
			checkNames(t, r.Alert, r.Expr, map[string]bool{})
			for _, key := range []string{"summary", "description", "runbook"} {
				if len(r.Annotations[key]) < 20 {
					t.Errorf("%s: its %s is %q", r.Alert, key, r.Annotations[key])
				}
			}
			if s := r.Labels["severity"]; s != "warning" && s != "critical" {
				t.Errorf("%s is %q", r.Alert, s)
			}
			if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Nvsess") {
				t.Errorf("%s: its name", r.Alert)
			}
			seen[r.Alert] = true
			for _, m := range regexp.MustCompile(`nvsess_[a-z_]+`).FindAllString(r.Annotations["summary"]+r.Annotations["description"]+r.Annotations["runbook"], -1) {
				if !known(m) {
					t.Errorf("%s speaks of %s", r.Alert, m)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d alerts", n)
	}
	// Each is shown to fire.
	text, err := os.ReadFile("testdata/rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for name := range seen {
		if !strings.Contains(string(text), "alertname='"+name+"',") {
			t.Errorf("testdata/rules_test.yml does not have %s fire", name)
		}
	}
}

// The dashboard is one that Grafana takes: its panels are all different, do not
// overlap, ask the data source that was chosen, and for metrics that there are.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 36 || len(d.Templating.List) != 2 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("%+v", d.Templating)
	}
	used, ids, taken := map[string]bool{}, map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("%s: its number is %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s: its place is %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s and %s overlap", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if !slices.Contains([]string{"timeseries", "stat", "heatmap"}, p.Type) || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 || p.FieldConfig.Defaults.Unit == "" && p.Type != "heatmap" {
			t.Errorf("%s: %+v", p.Title, p)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.RefID == "" || q.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %+v", p.Title, q)
			}
			refs[q.RefID] = true
			checkNames(t, p.Title, q.Expr, used)
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			checkNames(t, "annotations", a.Expr, used)
		}
	}
	// What is told is shown: but for what is shown in another form.
	for _, m := range table {
		if slices.Contains([]string{"nvsess_build_info", "nvsess_mount_sessions_limit", "nvsess_addresses", "nvsess_debugged_sessions"}, m.name) {
			continue
		}
		if !used[m.name] && !used[m.name+"_bucket"] && !used[m.name+"_sum"] {
			t.Errorf("%s is on no panel", m.name)
		}
	}
}

// promtool reads all of it: the alerts, their tests, the sample, and the
// expressions of the dashboard.
func TestPromtool(t *testing.T) {
	promtool(t)
	run := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.Command("promtool", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run(".", "check", "rules", rulesFile)
	run(filepath.Dir(scrapeFile), "check", "config", filepath.Base(scrapeFile))
	run("testdata", "test", "rules", "rules_test.yml")

	type rule struct {
		Record string
		Expr   string
	}
	var all []rule
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1m", "$instance", ".*").Replace(q.Expr)
			all = append(all, rule{"dashboard:panel" + itoa(len(all)), expr})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	run(".", "check", "rules", file)
}
