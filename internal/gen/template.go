package gen

import (
	"bytes"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").Funcs(template.FuncMap{
	"nginx":     QuoteNginx,
	"js":        QuoteJS,
	"toml":      QuoteTOML,
	"protocols": protocolsJS,
}).ParseFS(templateFiles, "templates/*.tmpl"))

// fill gives a template's text. Every value went through one of the quoting functions, which may refuse it.
func fill(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name+".tmpl", data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b.Bytes(), nil
}

// protocolsJS is the second argument of start.
func protocolsJS(names []string) (string, error) {
	if len(names) == 0 {
		return "undefined", nil
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		q, err := QuoteJS(n)
		if err != nil {
			return "", err
		}
		quoted[i] = q
	}
	if len(quoted) == 1 {
		return quoted[0], nil
	}
	return "[" + strings.Join(quoted, ", ") + "]", nil
}

func itoa(n int) string { return strconv.Itoa(n) }
