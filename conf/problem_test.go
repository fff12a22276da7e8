package conf_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"srvctl/conf"
)

func TestProblemsJSON(t *testing.T) {
	problems := problemsOf(t, "wrokers: 4\nuser: auto\nlimits: {open_files: 100}\n")
	var b bytes.Buffer
	if err := problems.RenderJSON(&b); err != nil {
		t.Fatal(err)
	}
	const want = `[
  {
    "file": "srvctl.yaml",
    "line": 1,
    "column": 1,
    "key": "wrokers",
    "severity": "error",
    "message": "unknown key",
    "suggest": "workers"
  },
  {
    "file": "srvctl.yaml",
    "line": 3,
    "column": 22,
    "key": "limits.open_files",
    "severity": "warning",
    "message": "100 open files cannot hold limits.connections: 10000",
    "allowed": "wanted: at least 10516, or auto"
  }
]
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	b.Reset()
	if err := conf.Problems(nil).RenderJSON(&b); err != nil || b.String() != "[]\n" {
		t.Errorf("no problems are %q, %v", b.String(), err)
	}
}
