package conf

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Keys that Diff treats in a way of their own.
var (
	siteListeners   = schema.child("sites").elem.child("listeners")
	routeMatch      = schema.child("sites").elem.child("routes").elem.child("match")
	responseHeaders = schema.child("sites").elem.child("routes").elem.child("respond").child("headers")
)

// inConfig reports whether a Config has a field for the key.
func (k *key) inConfig() bool { return k.stage == ready && !k.is(fileOnly) }

// hasElements reports whether the key holds things with names of their own.
func (k *key) hasElements() bool {
	return k.kind == named || k.kind == list && !k.elem.kind.scalar()
}

// field is the value of a key in its section's struct. The field is called as
// the key is, but for case and underscores.
func (d *differ) field(v reflect.Value, k *key) reflect.Value {
	i, known := d.fields[k]
	if !known {
		f, ok := v.Type().FieldByNameFunc(func(name string) bool {
			return strings.EqualFold(name, strings.ReplaceAll(k.name, "_", ""))
		})
		if !ok {
			panic("conf: no field of " + v.Type().String() + " is called as " + k.path())
		}
		i = f.Index[0]
		d.fields[k] = i
	}
	return v.Field(i)
}

// applies reports whether the key means anything in a section: a TCP listener
// has no permission bits, a unix one no sockets of its own for each worker.
func (k *key) applies(in reflect.Value) bool {
	return in.Type() != reflect.TypeFor[Listener]() || k.fits(in.FieldByName("Address").String())
}

// show is a single value, or a list of them, as it would be written.
func (k *key) show(v reflect.Value) string {
	if k.kind == list {
		words := make([]string, v.Len())
		for i := range words {
			words[i] = k.elem.show(v.Index(i))
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	switch v.Kind() {
	case reflect.String:
		return k.write(0, v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Uint32:
		return k.write(int64(v.Uint()), "")
	}
	return k.write(v.Int(), strconv.FormatInt(v.Int(), 10))
}

// showPreset is the default of such a key; "" where there is none.
func (k *key) showPreset() string {
	switch {
	case k.preset == nil:
		return ""
	case k.kind == list:
		return k.show(reflect.ValueOf(k.defList))
	case k.kind == flag:
		return k.def
	}
	return k.write(k.preset.num, k.preset.text)
}

// write is a number or text as the operator would write it.
func (k *key) write(n int64, s string) string {
	switch k.kind {
	case number:
		if n == 0 && len(k.words) > 0 {
			return k.words[0] // auto
		}
		return strconv.FormatInt(n, 10)
	case duration:
		return formatDuration(time.Duration(n))
	case size:
		return formatSize(n)
	case octal:
		return fmt.Sprintf("%04o", n)
	}
	return writeYAML(k.kind, s)
}

// summary is a group in one line, without what is as it would be anyway.
func (d *differ) summary(in *Config, k *key, v reflect.Value) string {
	if k.kind != section {
		return k.show(v)
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var parts []string
	for _, c := range k.keys {
		if !c.inConfig() || c == routeMatch {
			continue
		}
		if value := d.summaryOf(in, c, d.field(v, c), v); value != "" {
			parts = append(parts, c.name+": "+value)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// summaryOf is the value of one key in such a line, "" when it is left out.
func (d *differ) summaryOf(in *Config, k *key, v, inside reflect.Value) string {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return ""
	case k.kind == section:
		return d.summary(in, k, v)
	case k.hasElements():
		return k.countElements(v)
	case !k.applies(inside), k == siteListeners && v.Len() == len(in.Listeners):
		return ""
	}
	if value := k.show(v); value != k.showPreset() {
		return value
	}
	return ""
}

// countElements says how many there are, and for few which.
func (k *key) countElements(v reflect.Value) string {
	switch all := elementsOf(v, nil); {
	case len(all) == 0:
		return ""
	case len(all) > 8 || k.elem.kind == section && len(all) > 1:
		return strconv.Itoa(len(all)) + " entries"
	case k.elem.kind == section:
		return "1 entry"
	default:
		parts := make([]string, len(all))
		for i, e := range all {
			parts[i] = textYAML(e.name) + ": " + k.elem.show(e.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
}
