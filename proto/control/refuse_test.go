package control_test

import (
	"errors"
	"strings"
	"testing"

	"srvctl/proto/control"
	"srvctl/proto/wire"
)

func TestAppendRefuses(t *testing.T) {
	long := strings.Repeat("n", control.MaxName+1)
	many := make([]string, control.MaxDescriptors)
	for i := range many {
		many[i] = long[:control.MaxName]
	}
	for _, c := range []struct {
		name string
		m    control.Message
		want string
	}{
		{"a negative number", control.Begin{Slot: -1}, "begin frame: slot is -1, negative"},
		{"a slot beyond the last", control.Begin{Slot: control.MaxSlots}, "begin frame: slot is 1024, at most 1023 is allowed"},
		{"a number that needs more than 31 bits", control.Begin{Generation: 1 << 31}, "begin frame: generation is 2147483648, at most 2147483647 is allowed"},
		{"a long name", control.Begin{Instance: long}, "begin frame: instance length is 1025, at most 1024 is allowed"},
		{"a listener without sockets", control.Listener{}, "listener frame: count is 0"},
		{"more sockets than can travel", control.Listener{Count: 129}, "listener frame: count is 129, at most 128 is allowed"},
		{"sockets beyond the last slot", control.Listener{First: 1000, Count: 100}, "listener frame: count goes beyond the last slot"},
		{"a listener beyond the last", control.Listener{Number: control.MaxListeners, Count: 1}, "listener frame: number is 4096, at most 4095 is allowed"},
		{"more logs than can travel", control.Logs{Names: make([]string, 129)}, "logs frame: names count is 129, at most 128 is allowed"},
		{"more than a frame holds", control.Logs{Names: many}, "logs frame of 131338 bytes, want 8 to 65536"},
		{"too many slots", control.Commit{Accept: make([]int, 1025)}, "commit frame: accept count is 1025, at most 1024 is allowed"},
		{"a slot in a list beyond the last", control.Accept{Slots: []int{0, 1024}}, "accept frame: slots is 1024, at most 1023 is allowed"},
		{"a negative slot in a list", control.Accept{Slots: []int{0, -1}}, "accept frame: slots is -1, negative"},
		{"too many listeners to empty", control.Drain{Empty: make([]int, 4097)}, "drain frame: empty count is 4097, at most 4096 is allowed"},
		{"a listener to empty beyond the last", control.Drain{Empty: []int{0, 4096}}, "drain frame: empty is 4096, at most 4095 is allowed"},
		{"a negative listener to empty", control.Drain{Empty: []int{-1}}, "drain frame: empty is -1, negative"},
		{"a negative time", control.Drain{Idle: -1}, "drain frame: idle is -1, negative"},
		{"nothing to give", control.Give{}, "give frame: listeners are none"},
		{"too many listeners to give", control.Give{Listeners: make([]control.Pair, 4097)}, "give frame: listeners count is 4097, at most 4096 is allowed"},
		{"a listener beyond the last to give", control.Give{Listeners: []control.Pair{{Old: 4096}}}, "give frame: listeners is 4096, at most 4095 is allowed"},
		{"a negative listener to give to", control.Give{Listeners: []control.Pair{{New: -1}}}, "give frame: listeners is -1, negative"},
		{"a slot beyond the last to take from", control.Take{Slot: 1024}, "take frame: slot is 1024, at most 1023 is allowed"},
		{"a pointer", &control.Ready{}, "ready frame: message is a *control.Ready, want the value itself"},
	} {
		dst := []byte("kept")
		got, err := control.Append(dst, c.m)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: Append(%T) error %v, want %s", c.name, c.m, err, c.want)
		}
		if string(got) != "kept" {
			t.Errorf("%s: Append changed what was there to %q", c.name, got)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	// header returns a frame with a correct length.
	header := func(kind control.Type, fields ...byte) []byte {
		return append([]byte{control.Version, byte(kind), 0, 0, byte(8 + len(fields)), 0, 0, 0}, fields...)
	}
	with := func(frame []byte, at int, b byte) []byte {
		frame[at] = b
		return frame
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"nothing", nil, "control frame of 0 bytes, want 8 to 65536"},
		{"half a header", []byte{control.Version, 4, 0}, "control frame of 3 bytes, want 8 to 65536"},
		{"more than a frame", append(header(control.TypePrepare), make([]byte, control.MaxFrame)...), "control frame of 65544 bytes, want 8 to 65536"},
		{"another version", with(header(control.TypePrepare), 0, 1), "control frame of version 1, this binary speaks version 3"},
		{"another version, however short", []byte{9}, "control frame of version 9, this binary speaks version 3"},
		{"type zero", header(0), "control frame of unknown type 0"},
		{"a type of tomorrow", header(200), "control frame of unknown type 200"},
		{"reserved bits", with(header(control.TypePrepare), 3, 1), "prepare frame: header has bits set that this version does not know"},
		{"a length too long", with(header(control.TypePrepare), 4, 9), "prepare frame: length says 9, the frame has 8 bytes"},
		{"a length too short", with(header(control.TypeReady, 1, 2, 3, 4, 5, 6, 7, 8), 4, 15), "ready frame: length says 15, the frame has 16 bytes"},
		{"bytes behind the last field", header(control.TypeServing, 0), "serving frame: end is followed by 1 more bytes"},
		{"a field cut off", header(control.TypeReady, 1, 2, 3), "ready frame: checksum needs 8 bytes, 3 are left"},
		{"a string cut off", header(control.TypeFailed, 5, 0, 'a'), "failed frame: reason needs 5 bytes, 1 are left"},
		{"a string beyond its bound", header(control.TypeFailed, 1, 0x80), "failed frame: reason length is 32769, at most 32768 is allowed"},
		{"a count beyond its bound", header(control.TypeLogs, 129, 0), "logs frame: names count is 129, at most 128 is allowed"},
		{"a count without elements", header(control.TypeCommit, 0, 4), "commit frame: accept needs 2 bytes, 0 are left"},
		{"nothing to give", header(control.TypeGive, 0, 0), "give frame: listeners are none"},
		{"half a pair", header(control.TypeGive, 1, 0, 7, 0), "give frame: listeners needs 2 bytes, 0 are left"},
		{"a number above its bound", header(control.TypeDrained, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0), "drained frame: finished is 2147483648, at most 2147483647 is allowed"},
		{"a time above its bound", header(control.TypeDrain, 0, 0, 0, 0, 0, 0, 0, 0x80), "drain frame: timeout is 9223372036854775808, at most 9223372036854775807 is allowed"},
		{"a flag of 2", header(control.TypeListener, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0), "listener frame: shared is 2, at most 1 is allowed"},
		{"a listener without a socket", header(control.TypeListener, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0), "listener frame: count is 0"},
		{"a list of listeners cut off", header(control.TypeDrain, append(make([]byte, 26), 2, 0, 7, 0)...), "drain frame: empty needs 2 bytes, 0 are left"},
	} {
		m, err := control.Decode(c.frame)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: Decode error %v, want %s", c.name, err, c.want)
		}
		if m != nil {
			t.Errorf("%s: Decode returned %#v next to an error", c.name, m)
		}
	}
}

func TestDecodeErrorsHaveTypes(t *testing.T) {
	var version *wire.VersionError
	if _, err := control.Decode([]byte{1, 1, 0, 0, 8, 0, 0, 0}); !errors.As(err, &version) || version.Version != 1 {
		t.Errorf("version 1: error %#v, want a VersionError", err)
	}
	var unknown *wire.TypeError
	if _, err := control.Decode([]byte{control.Version, 99, 0, 0, 8, 0, 0, 0}); !errors.As(err, &unknown) || unknown.Type != 99 {
		t.Errorf("type 99: error %#v, want a TypeError", err)
	}
	var size *wire.SizeError
	if _, err := control.Decode(nil); !errors.As(err, &size) {
		t.Errorf("no bytes: error %#v, want a SizeError", err)
	}
	var field *wire.FieldError
	if _, err := control.Decode([]byte{control.Version, byte(control.TypeReady), 0, 0, 8, 0, 0, 0}); !errors.As(err, &field) || field.Field != "checksum" {
		t.Errorf("ready without checksum: error %#v, want a FieldError", err)
	}
}

func TestEveryPartOfAFrameIsRefused(t *testing.T) { tested.RefuseParts(t) }
