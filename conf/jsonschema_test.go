package conf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"srvctl/conf"
)

// TestJSONSchema validates good and bad configurations as an editor would.
func TestJSONSchema(t *testing.T) {
	var b bytes.Buffer
	if err := conf.JSONSchema(&b); err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(b.Bytes(), &schema); err != nil {
		t.Fatal(err)
	}
	for name, text := range goodFiles(t) {
		if wrong := check(schema, decode(t, text), name); len(wrong) > 0 {
			t.Errorf("a good file is refused:\n%s", strings.Join(wrong, "\n"))
		}
	}
	for text, want := range map[string]string{
		"wrokers: 1":                                   "x.wrokers: unknown",
		"workers: 1000":                                "x.workers: anyOf",
		"workers: many":                                "x.workers: anyOf",
		"workers: ${N}":                                "",
		"ready_timeout: 10":                            "x.ready_timeout: type",
		"ready_timeout: 10x":                           "x.ready_timeout: pattern",
		"ready_timeout: ${T:-1s}":                      "",
		"limits: {body_bytes: 8 MiB}":                  "",
		"limits: {body_bytes: much}":                   "x.limits.body_bytes: anyOf",
		"limits:":                                      "",
		"log: {level: inof}":                           "x.log.level: anyOf",
		"listeners: {a: {}}":                           "x.listeners.a.address: missing",
		"sites: [{routes: [{}]}]":                      "x.sites[0].routes[0].match: missing",
		"sites: [{routes: [{match: /, redirect: 5}]}]": "x.sites[0].routes[0].redirect: type",
	} {
		wrong := strings.Join(check(schema, decode(t, text), "x"), "; ")
		if (wrong == "") != (want == "") || !strings.Contains(wrong, want) {
			t.Errorf("%q: %q, want %q", text, wrong, want)
		}
	}
}

// goodFiles are the annotated reference and what the goldens show.
func goodFiles(t *testing.T) map[string]string {
	reference, err := os.ReadFile("srvctl.yaml")
	if err != nil {
		t.Fatal(err)
	}
	origins, err := txtar.ParseFile("testdata/show/origins.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"srvctl.yaml": string(reference), "everything": everything}
	for _, f := range origins.Files {
		if strings.HasSuffix(f.Name, ".yaml") || f.Name == "want" {
			files["origins/"+f.Name] = string(f.Data)
		}
	}
	return files
}

func decode(t *testing.T, text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// check is as much of JSON Schema as the generator uses.
func check(s map[string]any, v any, at string) (wrong []string) {
	if all, ok := s["anyOf"].([]any); ok {
		for _, one := range all {
			if len(check(one.(map[string]any), v, at)) == 0 {
				return nil
			}
		}
		return []string{at + ": anyOf"}
	}
	if e, ok := s["enum"].([]any); ok && !slices.Contains(e, v) {
		return []string{at + ": enum"}
	}
	types := strings.ReplaceAll(fmt.Sprint(s["type"]), "number", "number integer")
	if _, ok := s["type"]; ok && !strings.Contains(types, typeOf(v)) {
		return []string{at + ": type " + typeOf(v)}
	}
	switch v := v.(type) {
	case string:
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			wrong = append(wrong, at+": pattern")
		}
	case int:
		if n, ok := s["minimum"].(float64); ok && float64(v) < n || float64(v) > bound(s) {
			wrong = append(wrong, at+": bounds")
		}
	case []any:
		for i, e := range v {
			wrong = append(wrong, check(s["items"].(map[string]any), e, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		wrong = append(wrong, checkObject(s, v, at)...)
	}
	return wrong
}

func bound(s map[string]any) float64 {
	if n, ok := s["maximum"].(float64); ok {
		return n
	}
	return math.MaxFloat64
}

func checkObject(s, v map[string]any, at string) (wrong []string) {
	properties, _ := s["properties"].(map[string]any)
	for name, e := range v {
		below, known := properties[name].(map[string]any)
		if !known {
			if below, known = s["additionalProperties"].(map[string]any); !known {
				if s["additionalProperties"] == false {
					wrong = append(wrong, at+"."+name+": unknown")
				}
				continue
			}
		}
		wrong = append(wrong, check(below, e, at+"."+name)...)
	}
	must, _ := s["required"].([]any)
	for _, name := range must {
		if _, there := v[name.(string)]; !there {
			wrong = append(wrong, fmt.Sprintf("%s.%s: missing", at, name))
		}
	}
	return wrong
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case int:
		return "integer"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}
