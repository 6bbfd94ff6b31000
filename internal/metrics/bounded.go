package metrics

import (
	"net/http"
	"strconv"
)

// Peers choose close codes, and a webhook statuses. A label has few values all
// the same, or every one of them would be a series for ever.

// bounded adds up what has the same label.
func bounded(m map[string]uint64, label func(string) string) map[string]uint64 {
	out := make(map[string]uint64, len(m))
	for k, v := range m {
		out[label(k)] += v
	}
	return out
}

// closeCode names those of RFC 6455, section 7.4.1, and what is registered in
// their range, by themselves, libraries' and applications' by their range.
func closeCode(s string) string {
	switch n, err := strconv.Atoi(s); {
	case err != nil:
		return "other"
	case n >= 1000 && n <= 1015:
		return s
	case n >= 3000 && n <= 3999:
		return "3xxx"
	case n >= 4000 && n <= 4999:
		return "4xxx"
	}
	return "other"
}

// httpStatus names the statuses that have a name.
func httpStatus(s string) string {
	if n, err := strconv.Atoi(s); err == nil && http.StatusText(n) != "" {
		return s
	}
	return "other"
}
