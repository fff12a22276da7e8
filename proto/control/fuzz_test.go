package control_test

import (
	"testing"

	"srvctl/proto/control"
)

func FuzzDecode(f *testing.F) {
	tested.Fuzz(f, func(t *testing.T, m control.Message) {
		if n := control.Descriptors(m); n < 0 || n > control.MaxDescriptors {
			t.Fatalf("%s travels with %d descriptors", m.Type(), n)
		}
	})
}
