package metrics

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// docs/metrics.md has a row for each metric, and no other.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(nvsess_[a-z0-9_]+)` \\|.*$").FindAllStringSubmatch(string(text), -1) {
		if rows[m[1]] != "" {
			t.Errorf("%s is there twice", m[1])
		}
		rows[m[1]] = m[0]
	}
	for _, x := range table {
		if rows[x.name] != x.row() {
			t.Errorf("it has\n%s\nnot\n%s", rows[x.name], x.row())
		}
		delete(rows, x.name)
	}
	for name := range rows {
		t.Errorf("there is no %s", name)
	}
	for _, x := range regexp.MustCompile("`(nvsess_[a-z0-9_]+)").FindAllStringSubmatch(string(text), -1) {
		if !known(x[1]) {
			t.Errorf("there is no %s, of which the text speaks", x[1])
		}
	}
}

// row is the metric's in the documentation.
func (m *metric) row() string {
	labels := ""
	for i, l := range m.labels {
		if i > 0 {
			labels += ", "
		}
		labels += "`" + l + "`"
	}
	return strings.Join([]string{"| `" + m.name + "`", m.kind.String(), labels, m.help + " |"}, " | ")
}

// known reports whether that is the name of a metric, or of a histogram's parts.
func known(name string) bool {
	if m := byName[name]; m != nil {
		return true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && byName[base] != nil && byName[base].kind == histogram {
			return true
		}
	}
	return false
}

// others are the metrics of the process and the runtime.
func others(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{"up": true}
	reg := prometheus.NewRegistry()
	for _, c := range libraries() {
		reg.MustRegister(c)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		names[f.GetName()] = true
		if f.GetType().String() == "SUMMARY" {
			names[f.GetName()+"_sum"], names[f.GetName()+"_count"] = true, true
		}
	}
	return names
}
