package conf

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/docker/go-units"
)

// fault is what is wrong with a value, before it is known where it stands.
type fault struct {
	message string // "" is nothing wrong
	suggest string
}

// parse reads a single value as the key wants it. The number is in the key's
// own unit; texts have none.
func (k *key) parse(s string) (int64, fault) {
	if slices.Contains(k.words, s) {
		return 0, fault{}
	}
	switch k.kind {
	case word:
		return 0, fault{quote(s) + " is not known here", nearest(s, k.words)}
	case flag:
		return parseFlag(s)
	case text:
		return 0, checkText(s, maxTextBytes, true)
	case name, path:
		return 0, checkText(s, maxNameBytes, false)
	}
	n, wrong := k.parseNumber(s)
	if wrong.message != "" {
		// "atuo" is a slip of a word rather than of a number.
		wrong.suggest = cmp.Or(nearest(s, k.words), wrong.suggest)
		return 0, wrong
	}
	switch {
	case k.kind == octal || !k.bounded():
	case n < k.min:
		return 0, fault{message: s + " is too small"}
	case k.max != 0 && n > k.max:
		return 0, fault{message: s + " is too large"}
	}
	return n, fault{}
}

func (k *key) parseNumber(s string) (int64, fault) {
	switch k.kind {
	case duration:
		d, wrong := parseDuration(s)
		return int64(d), wrong
	case size:
		return parseSize(s)
	case rate:
		r, wrong := parseRate(s)
		return r.Count, wrong
	case octal:
		return parseOctal(s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fault{message: quote(s) + " is not a whole number"}
	}
	return n, fault{}
}

// parseFlag takes the words of YAML 1.2. Those that YAML 1.1 had as well are
// refused, because half of the tools read them as text.
func parseFlag(s string) (int64, fault) {
	switch strings.ToLower(s) {
	case "true":
		return 1, fault{}
	case "false":
		return 0, fault{}
	case "yes", "on", "y", "1":
		return 0, fault{quote(s) + " is not true or false", "true"}
	case "no", "off", "n", "0":
		return 0, fault{quote(s) + " is not true or false", "false"}
	}
	return 0, fault{quote(s) + " is not true or false", nearest(s, []string{"true", "false"})}
}

// parseDuration takes what time.ParseDuration takes, and days.
func parseDuration(s string) (time.Duration, fault) {
	d, err := time.ParseDuration(s)
	if err == nil {
		return d, fault{}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err == nil && n >= 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, fault{}
		}
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
		return 0, fault{s + " has no unit of time", s + "s"}
	}
	better := strings.ToLower(strings.ReplaceAll(s, " ", ""))
	if _, err := time.ParseDuration(better); err != nil {
		better = ""
	}
	return 0, fault{quote(s) + " is not a duration", better}
}

// parseSize has the semantics of docker/go-units: k, kB and KiB are all 1024,
// a plain number is bytes.
func parseSize(s string) (int64, fault) {
	bad := fault{message: quote(s) + " is not a size"}
	// go-units lets floats of any size through and converts them blindly.
	if len(s) > 32 || strings.ContainsAny(s, "eExXnN") {
		return 0, bad
	}
	n, err := units.RAMInBytes(s)
	switch {
	case err != nil || n < 0 && strings.HasPrefix(s, "-"):
		return 0, bad
	case n < 0 || n == math.MaxInt64:
		return 0, fault{message: s + " is too large"}
	}
	return n, fault{}
}

// Rate is so many per unit of time.
type Rate struct {
	Count int64
	Per   time.Duration
}

func parseRate(s string) (Rate, fault) {
	count, unit, ok := strings.Cut(s, "/")
	n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
	if err != nil || n < 0 {
		return Rate{}, fault{message: quote(s) + " is not a rate"}
	}
	if !ok {
		return Rate{}, fault{s + " has no unit of time", s + "/s"}
	}
	switch strings.TrimSpace(unit) {
	case "s":
		return Rate{n, time.Second}, fault{}
	case "m":
		return Rate{n, time.Minute}, fault{}
	case "h":
		return Rate{n, time.Hour}, fault{}
	}
	return Rate{}, fault{message: quote(unit) + " is not a unit of time"}
}

// parseOctal takes permission bits as chmod does: digits are octal with or
// without a 0 in front.
func parseOctal(s string) (int64, fault) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil || n > 0o777 {
		return 0, fault{message: quote(s) + " is not a number from 0 to 0777 in octal"}
	}
	return int64(n), fault{}
}

// checkText refuses what no value may hold. Texts with lines may have tabs and
// newlines; nothing may have the other control characters, which would end up
// in headers, paths and logs.
func checkText(s string, longest int, lines bool) fault {
	if len(s) > longest {
		return fault{message: "the text has " + formatSize(int64(len(s))) + "; at most " + formatSize(int64(longest)) + " are taken"}
	}
	if !utf8.ValidString(s) {
		return fault{message: quote(s) + " is not UTF-8"}
	}
	for _, r := range s {
		if unicode.IsControl(r) && !(lines && (r == '\n' || r == '\t' || r == '\r')) {
			return fault{message: quote(s) + " has a control character"}
		}
	}
	return fault{}
}

// formatDuration is time.Duration's String without zeros at the end: "1h", not
// "1h0m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// formatSize writes bytes in the largest unit that gives a whole number, so
// that reading it again gives the same.
func formatSize(n int64) string {
	names := []string{"", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n != 0 && n%1024 == 0 && i < len(names)-1 {
		n /= 1024
		i++
	}
	return strconv.FormatInt(n, 10) + names[i]
}

// quote shows a value in a message: in quotes, escaped, and not longer than a
// line can bear.
func quote(s string) string {
	const longest = 60
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strconv.Quote(s)
}
