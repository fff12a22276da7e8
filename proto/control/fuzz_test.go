package control_test

import (
	"bytes"
	"testing"

	"srvctl/proto/control"
)

// Whatever is accepted has one spelling: written again, it is the same bytes.
func FuzzDecode(f *testing.F) {
	for _, m := range samples {
		frame, err := control.Append(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := control.Decode(frame)
		if err != nil {
			if err.Error() == "" || m != nil {
				t.Fatalf("refused as %v with message %#v", err, m)
			}
			return
		}
		again, err := control.Append(nil, m)
		if err != nil {
			t.Fatalf("Append refuses what Decode accepts: %v", err)
		}
		if !bytes.Equal(frame, again) {
			t.Fatalf("read  %x\nwrote %x", frame, again)
		}
		if n := control.Descriptors(m); n < 0 || n > control.MaxDescriptors {
			t.Fatalf("%s travels with %d descriptors", m.Type(), n)
		}
	})
}
