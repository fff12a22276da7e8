package control

import "fmt"

// VersionError is returned by Decode when the frame is of another version.
type VersionError struct {
	Version uint8
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("control frame of version %d, this binary speaks version %d", e.Version, Version)
}

// TypeError is returned by Decode when the frame is of a type that this
// version does not have.
type TypeError struct {
	Type Type
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("control frame of unknown type %d", uint8(e.Type))
}

// SizeError is returned when a frame is shorter than its header or longer
// than MaxFrame.
type SizeError struct {
	Type Type // 0 from Decode
	Size int
}

func (e *SizeError) Error() string {
	what := "control frame"
	if e.Type != 0 {
		what = e.Type.String() + " frame"
	}
	return fmt.Sprintf("%s of %d bytes, want %d to %d", what, e.Size, headerLen, MaxFrame)
}

// FieldError is returned when a field of a frame cannot be written or read.
type FieldError struct {
	Type    Type
	Field   string
	Problem string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s frame: %s %s", e.Type, e.Field, e.Problem)
}
