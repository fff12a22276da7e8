package logging

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// timeLayout is RFC 3339 with milliseconds, as in the access log.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// fixedFields come first, in this order; others follow by name.
var fixedFields = []string{"process", "slot", "generation", "pid", "addr", "err"}

// A formatter writes an entry as one line, JSON or key=value, with its fields
// always in the same order.
type formatter struct{ text bool }

// Format implements logrus.Formatter.
func (f formatter) Format(e *logrus.Entry) ([]byte, error) {
	var b []byte
	if e.Buffer != nil {
		b = e.Buffer.AvailableBuffer()
	}
	pair, end := appendPairJSON, "}\n"
	if f.text {
		pair, end = appendPairText, "\n"
	}
	b = pair(b, "time", e.Time.Format(timeLayout))
	b = pair(b, "level", levelName(e.Level))
	b = pair(b, "msg", e.Message)
	for _, key := range fieldOrder(e.Data) {
		b = pair(b, safeKey(key), e.Data[key])
	}
	return append(b, end...), nil
}

func fieldOrder(data logrus.Fields) []string {
	keys := make([]string, 0, len(data))
	for _, key := range fixedFields {
		if _, ok := data[key]; ok {
			keys = append(keys, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if !slices.Contains(fixedFields, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// safeKey keeps a field from standing in for one of the line's own.
func safeKey(key string) string {
	switch key {
	case "time", "level", "msg":
		return "field_" + key
	}
	return key
}

func levelName(l logrus.Level) string {
	if l == logrus.WarnLevel {
		return "warn"
	}
	return l.String()
}

// appendPairJSON appends one member; the first one opens the object.
func appendPairJSON(b []byte, key string, value any) []byte {
	if len(b) == 0 {
		b = append(b, '{', '"')
	} else {
		b = append(b, ',', '"')
	}
	b = appendJSON(b, []byte(key))
	b = append(b, '"', ':')
	text, quoted := render(value)
	if !quoted {
		return append(b, text...)
	}
	b = appendJSON(append(b, '"'), []byte(text))
	return append(b, '"')
}

// appendPairText appends key=value, the value quoted when it is not one plain
// word.
func appendPairText(b []byte, key string, value any) []byte {
	if len(b) > 0 {
		b = append(b, ' ')
	}
	b = append(appendJSON(b, []byte(strings.ReplaceAll(key, " ", "_"))), '=')
	text, _ := render(value)
	if text != "" && !strings.ContainsAny(text, " =") && plain([]byte(text)) == len(text) {
		return append(b, text...)
	}
	b = appendJSON(append(b, '"'), []byte(text))
	return append(b, '"')
}

// render returns a value as text and whether JSON has to quote it.
func render(value any) (text string, quoted bool) {
	switch v := value.(type) {
	case nil:
		return "null", false
	case string:
		return v, true
	case []byte:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), false
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), math.IsNaN(v) || math.IsInf(v, 0)
	case time.Time:
		return v.Format(timeLayout), true
	case error, fmt.Stringer:
		return fmt.Sprint(v), true // a nil pointer in there does not crash Sprint
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), false
	}
	if text, err := json.Marshal(value); err == nil {
		return string(text), false
	}
	return fmt.Sprint(value), true
}
