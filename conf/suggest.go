package conf

import "strings"

// nearest gives the candidate that was probably meant by word, or "". The
// first of equally near ones wins, so that the answer is always the same.
func nearest(word string, candidates []string) string {
	return nearestWithin(limitFor(len(word)), word, candidates)
}

func nearestWithin(slips int, word string, candidates []string) string {
	const longest = 64 // no key, word or variable is longer; bounds the work
	if len(word) > longest || isDigits(word) {
		return "" // one number is not more like another one
	}
	plain := fold(word)
	best, bestAt := "", slips+1
	for _, c := range candidates {
		if c == "" || c == word {
			continue
		}
		at := distance(plain, fold(c), bestAt)
		// "listen" for "listeners", "warning" for "warn": people remember how a
		// word begins.
		if slips > 1 && at >= bestAt && begins(plain, fold(c)) {
			at = bestAt - 1
		}
		if at < bestAt {
			best, bestAt = c, at
		}
	}
	return best
}

// begins reports whether one of two words of some length begins with the other.
func begins(a, b string) bool {
	return min(len(a), len(b)) >= 4 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// limitFor is how many slips of the finger a word of n letters may have: one
// in three, at least one, at most three. More would suggest unrelated words.
func limitFor(n int) int {
	return min(max(n/3, 1), 3)
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// fold removes the differences nobody means: case, and '-' for '_'.
func fold(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "-", "_")
}

// distance counts the letters to insert, remove, change or swap with their
// neighbour to make b of a. It gives up at limit and returns that.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before := make([]int, len(b)+1) // two rows up
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		smallest := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			smallest = min(smallest, d)
		}
		if smallest >= limit {
			return limit
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], limit)
}

// elsewhere finds a key of that very name in another part of the table, for
// those who wrote a right key at a wrong place: first below k, and then the
// path starts there, or else anywhere but at the top.
func elsewhere(k *key, name string) string {
	for _, from := range []*key{k, schema} {
		found := ""
		from.walk(func(c *key) {
			if found == "" && c.name == name && c.parent != from && c.reachable() != later {
				found = c.path()
			}
		})
		if found != "" {
			return strings.TrimPrefix(strings.TrimPrefix(found, from.path()), ".")
		}
	}
	return ""
}
