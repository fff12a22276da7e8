package conf

import (
	"strconv"
	"strings"
	"time"
)

// kind is what the value of a key looks like.
type kind uint8

const (
	// section is a mapping of keys that the table names.
	section kind = iota
	// named is a mapping whose names the operator chooses.
	named
	// list is a sequence.
	list
	// flag is true or false.
	flag
	// number is a whole number.
	number
	// duration is a number with a unit of time.
	duration
	// size is a number of bytes, with or without a unit.
	size
	// rate is so many per unit of time.
	rate
	// octal is file permission bits.
	octal
	// word is one of the key's words and nothing else.
	word
	// name is a short text on one line.
	name
	// path is a file or folder, made absolute while it is read.
	path
	// text is any text, also over several lines.
	text
	numKinds
)

// kindNames are what an operator calls them, with the article.
var kindNames = [numKinds]string{
	section: "a group of keys", named: "a group of names", list: "a list",
	flag: "true or false", number: "a number", duration: "a duration", size: "a size",
	rate: "a rate", octal: "permission bits", word: "a word", name: "a text",
	path: "a path", text: "a text",
}

func (k kind) String() string { return kindNames[k] }

// scalar reports whether a value of that kind is a single one.
func (k kind) scalar() bool { return k >= flag }

// form is what a value of that kind looks like, for messages.
func (k kind) form() string {
	switch k {
	case duration:
		return "a duration such as 250ms, 10s, 1h"
	case size:
		return "a size such as 512, 8KiB, 1MiB"
	case rate:
		return "a rate such as 100/s, 10/m, 5/h"
	case octal:
		return "permission bits such as 0660"
	}
	return k.String()
}

// allowed says in words what a key takes: "a number from 1 to 256, or auto".
func (k *key) allowed() string {
	if k.kind == word {
		return "allowed: " + strings.Join(shown(k.words), ", ")
	}
	s := "wanted: " + k.kind.form()
	switch {
	case k.kind == list && k.max > 0:
		s += " of at most " + strconv.FormatInt(k.max, 10)
	case k.kind == list || !k.bounded():
	case k.max == 0:
		s += k.comma() + " of at least " + k.bound(k.min)
	default:
		s += k.comma() + " from " + k.bound(k.min) + " to " + k.bound(k.max)
	}
	if len(k.words) > 0 {
		s += ", or " + strings.Join(shown(k.words), ", ")
	}
	if k.because != "" {
		s += " (" + k.because + ")"
	}
	return s
}

// comma parts the examples of a form from its bounds.
func (k *key) comma() string {
	if k.kind == number {
		return ""
	}
	return ","
}

// bounded reports whether the key's numbers have bounds.
func (k *key) bounded() bool {
	switch k.kind {
	case number, duration, size, rate:
		return k.min != 0 || k.max != 0
	}
	return false
}

// bound shows one of a key's bounds in its own unit.
func (k *key) bound(n int64) string {
	switch k.kind {
	case duration:
		return formatDuration(time.Duration(n))
	case size:
		return formatSize(n)
	}
	return strconv.FormatInt(n, 10)
}

// shown makes the empty word visible.
func shown(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = w; w == "" {
			out[i] = `""`
		}
	}
	return out
}
