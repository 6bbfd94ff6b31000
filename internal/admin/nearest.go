package admin

import "slices"

// Nearest is the command whose name is closest to a mistyped one, or "" when none is close.
func Nearest(typed string) string {
	best, name := 3, "" // more than two slips is another word
	for _, c := range table {
		for _, n := range append([]string{c.Name}, c.Aliases...) {
			if d := distance(typed, n); d < best && d < len(n) && !c.Hidden {
				best, name = d, n
			}
		}
	}
	return name
}

// distance counts the slips (a letter more, less, or other) between two words.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], slices.Min([]int{diagonal + cost, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
