package handover_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"srvctl/proto/handover"
	"srvctl/proto/wire"
	"srvctl/tests/codec"
)

var tested = codec.Format[handover.Message]{Append: handover.Append, Decode: handover.Decode, Samples: []handover.Message{
	handover.Conn{Seq: 1, Listener: 2, Peer: []byte{127, 0, 0, 1}, Requests: 17, Age: 3 * time.Second},
	handover.Conn{Seq: 1<<64 - 1, Listener: handover.MaxListeners - 1, Peer: bytes.Repeat([]byte{0xfe}, 16),
		Requests: wire.MaxInt, Head: true, Age: 1<<63 - 1, Bytes: []byte("GET / HTTP/1.1\r\nHost: e")},
	handover.Conn{Bytes: []byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")},
	handover.Conn{},
	handover.Ack{Seq: 1},
	handover.Nack{Seq: 0xfedcba9876543210, Reason: "no descriptor is free"},
	handover.Nack{},
}}

func TestEveryMessageComesBackAsItWas(t *testing.T) { tested.ComeBack(t) }

func TestEveryPartOfAFrameIsRefused(t *testing.T) { tested.RefuseParts(t) }

func FuzzDecode(f *testing.F) {
	tested.Fuzz(f, func(t *testing.T, m handover.Message) {
		if _, ok := m.(handover.Conn); ok != (handover.Descriptors(m) == 1) {
			t.Fatalf("%#v travels with %d descriptors", m, handover.Descriptors(m))
		}
	})
}

// An old worker may be of another binary than its successor, so a change of the
// format is a decision, made together with Version.
func TestFramesOnTheWire(t *testing.T) { tested.OnTheWire(t) }

func TestTheLargestConnectionFitsAFrame(t *testing.T) {
	frame := tested.Encode(t, handover.Conn{Peer: make([]byte, 16), Bytes: make([]byte, handover.MaxBytes)})
	if len(frame) > wire.MaxFrame {
		t.Errorf("%d bytes, want at most %d", len(frame), wire.MaxFrame)
	}
}

func TestLongReasonIsCut(t *testing.T) {
	m, err := handover.Decode(tested.Encode(t, handover.Nack{Seq: 7, Reason: strings.Repeat("x", 2*handover.MaxReason)}))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(handover.Nack); got.Seq != 7 || len(got.Reason) != handover.MaxReason || !strings.HasSuffix(got.Reason, " [cut]") {
		t.Errorf("got %+v, want a reason of %d bytes that ends in [cut]", got, handover.MaxReason)
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		m    handover.Message
		want string
	}{
		{"a listener beyond the last", handover.Conn{Listener: 4096}, "conn frame: listener is 4096, at most 4095 is allowed"},
		{"a negative number", handover.Conn{Requests: -1}, "conn frame: requests is -1, negative"},
		{"a negative time", handover.Conn{Age: -1}, "conn frame: age is -1, negative"},
		{"an address of five bytes", handover.Conn{Peer: make([]byte, 5)}, "conn frame: peer is no address"},
		{"an address of seventeen bytes", handover.Conn{Peer: make([]byte, 17)}, "conn frame: peer length is 17, at most 16 is allowed"},
		{"a head without bytes", handover.Conn{Head: true}, "conn frame: bytes are none, but a part of a request has come"},
		{"more bytes than can travel", handover.Conn{Bytes: make([]byte, 60<<10+1)}, "conn frame: bytes length is 61441, at most 61440 is allowed"},
		{"a pointer", &handover.Ack{}, "ack frame: message is a *handover.Ack, want the value itself"},
	} {
		got, err := handover.Append([]byte("kept"), c.m)
		if err == nil || err.Error() != c.want || string(got) != "kept" {
			t.Errorf("%s: Append = %q, %v, want what was there and %s", c.name, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"nothing", nil, "hand-over frame of 0 bytes, want 8 to 65536"},
		{"another version", []byte{2, 2, 0, 0, 8, 0, 0, 0}, "hand-over frame of version 2, this binary speaks version 1"},
		{"a type of tomorrow", []byte{1, 4, 0, 0, 8, 0, 0, 0}, "hand-over frame of unknown type 4"},
		{"an ack of nothing", []byte{1, 2, 0, 0, 8, 0, 0, 0}, "ack frame: seq needs 8 bytes, 0 are left"},
		{"an ack and more", []byte{1, 2, 0, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, "ack frame: end is followed by 1 more bytes"},
		{"text", []byte("\x01GET / HTTP/1.1\r\n\r\n"), "hand-over frame of unknown type 71"},
	} {
		m, err := handover.Decode(c.frame)
		if err == nil || err.Error() != c.want || m != nil {
			t.Errorf("%s: Decode = %#v, %v, want %s", c.name, m, err, c.want)
		}
	}
	var version *wire.VersionError
	if _, err := handover.Decode([]byte{9}); !errors.As(err, &version) {
		t.Errorf("version 9: error %#v, want a VersionError", err)
	}
}
