package conf_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"srvctl/conf"
)

const everything = `
workers: 3
user: web:web
limits: {body_bytes: 8m}
mime_types: {.foo: "application/x-foo; v=\"1\"", .b: text/x}
listeners:
  http: {address: ":8080", backlog: 7}
  file: {address: "unix:x.sock"}
sites:
  - hosts: [example.com, "*.example.com", "[::1]"]
    access_log: {output: ""}
    routes:
      - match: "GET /a/{id}"
        respond:
          body: "{id} $${x} \"quoted\" \u2028 ünïcode\ttab\nsecond: line # no comment\n"
          headers: {X-A: "on", X-Null: "~", X-Num: 12, X-Colon: "a: b"}
      - {match: "/r/*", redirect: {to: "/{*}?a=b#c", status: 308}}
      - {match: "/f/*", files: {root: ., index: [a.html, "b c.html"], cache_control: "public, max-age=60"}}
      - {match: /h, health: {}}
      - {match: /e, echo: {what: request}}
  - hosts: [other.example]
    listeners: [http]
    routes: []
`

// TestCodec: a worker gets what the master has, but for the origins.
func TestCodec(t *testing.T) {
	c := load(t, everything)
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := conf.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, back, cmpopts.IgnoreUnexported(conf.Config{}), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(conf.Config{}, "Watch")); diff != "" {
		t.Errorf("(-encoded +decoded)\n%s", diff)
	}
	if len(back.Settings()) != 0 {
		t.Error("a decoded Config has settings")
	}
	for _, bad := range []string{
		"", "{}", "[]", `{"version":1}`, `{"version":2,"config":{}}`, `{"version":1,"config":{"Wrokers":1}}`,
		`{"version":1,"config":{"Workers":"x"}}`, strings.Replace(string(data), `"version":1`, `"version":0`, 1),
	} {
		if _, err := conf.Decode([]byte(bad)); err == nil {
			t.Errorf("Decode(%.60q) gives no error", bad)
		}
	}
}
